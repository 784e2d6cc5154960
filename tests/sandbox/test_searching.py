"""Reading the shop: orders, cancellations, eligibility, and their pages."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.sandbox.wire import (
    DEMO_SHOP_CIPHER,
    ORDERS,
    PAID,
    SEARCH_CANCELLATIONS,
    SEARCH_ORDERS,
    SHOPS,
    UNPAID,
    Wire,
)

AFTERSALE = "/return_refund/{version}/orders/{order_id}/aftersale_eligibility"


async def search(
    wire: Wire, path: str = SEARCH_ORDERS, /, page_size: int = 100, **parts: Any
) -> Any:
    query = {"page_size": page_size, **parts.pop("query", {})}
    answer = await wire.call("POST", path, query=query, json=parts)
    assert answer["code"] == 0, answer
    return answer["data"]


async def walk(wire: Wire, path: str, items: str, page_size: int, **query: Any) -> list[Any]:
    found: list[Any] = []
    token = ""
    while True:
        data = await search(wire, path, page_size, query={**query, "page_token": token})
        found += data[items]
        token = data["next_page_token"]
        if not token:
            return found


async def test_the_shops_of_a_token_are_listed_with_their_ciphers(wire: Wire) -> None:
    answer = await wire.send("GET", SHOPS)
    shop, _ = answer.json()["data"]["shops"]
    assert (shop["cipher"], shop["region"], shop["seller_type"]) == (
        DEMO_SHOP_CIPHER,
        "US",
        "LOCAL",
    )


@pytest.mark.parametrize("sort_order", ["ASC", "DESC"])
@pytest.mark.parametrize("sort_field", ["create_time", "update_time"])
async def test_pages_walk_all_orders_once_and_sorted(
    wire: Wire, sort_field: str, sort_order: str
) -> None:
    orders = await walk(
        wire, SEARCH_ORDERS, "orders", 30, sort_field=sort_field, sort_order=sort_order
    )
    assert {order["id"] for order in orders} == set(wire.shop.orders)
    assert len(orders) == len(wire.shop.orders)
    times = [order[sort_field] for order in orders]
    assert times == sorted(times, reverse=sort_order == "DESC")


@pytest.mark.parametrize("sort_order", ["ASC", "DESC"])
@pytest.mark.parametrize("page_size", [1, 7, 100])
async def test_orders_of_one_moment_are_sorted_by_their_ids(
    wire: Wire, sort_order: str, page_size: int
) -> None:
    """Wherever a page ends among them, the next one goes on there."""
    orders_by_id = wire.shop.orders
    for number, order_id in enumerate(list(orders_by_id)):
        orders_by_id[order_id].update_time = number * 7 % 60
        if number % 11 < 5:
            orders_by_id[order_id] = orders_by_id.pop(order_id)
    query = {"sort_field": "update_time", "sort_order": sort_order}
    orders = await walk(wire, SEARCH_ORDERS, "orders", page_size, **query)
    expected = [(order.update_time, int(order.id)) for order in orders_by_id.values()]
    expected.sort(reverse=sort_order == "DESC")
    assert [(order["update_time"], int(order["id"])) for order in orders] == expected


async def test_the_newest_orders_come_first_unless_asked_otherwise(wire: Wire) -> None:
    data = await search(wire, page_size=20)
    times = [order["create_time"] for order in data["orders"]]
    assert times == sorted(times, reverse=True)
    assert data["total_count"] == 200


async def test_a_page_token_survives_orders_that_leave_the_filter(wire: Wire) -> None:
    """Who cancels what a page lists, and then asks for the next, misses nothing."""
    query: dict[str, Any] = {}
    seen: list[str] = []
    expected = wire.order_ids("AWAITING_SHIPMENT")
    while True:
        data = await search(wire, page_size=10, query=query, order_status="AWAITING_SHIPMENT")
        for order in data["orders"]:
            seen.append(order["id"])
            await wire.cancel(order["id"])
        if not data["next_page_token"]:
            break
        query = {"page_token": data["next_page_token"]}
    assert sorted(seen) == sorted(expected)


@pytest.mark.parametrize(
    ("field", "value"), [("order_status", "ON_HOLD"), ("shipping_type", "SELLER")]
)
async def test_orders_are_filtered_by_what_they_are(wire: Wire, field: str, value: str) -> None:
    data = await search(wire, **{field: value})
    shown = "status" if field == "order_status" else field
    assert {order[shown] for order in data["orders"]} == {value}
    assert 0 < data["total_count"] < 200


async def test_orders_are_filtered_by_buyer_and_warehouse(wire: Wire) -> None:
    order = next(iter(wire.shop.orders.values()))
    found = await search(wire, buyer_user_id=order.buyer.user_id)
    assert [each["id"] for each in found["orders"]] == [order.id]
    assert (await search(wire, warehouse_ids=["elsewhere"]))["orders"] == []
    assert (await search(wire, warehouse_ids=[wire.shop.warehouse_id]))["total_count"] == 200
    assert (await search(wire, is_buyer_request_cancel=True))["total_count"] == 0


@pytest.mark.parametrize("field", ["create_time", "update_time"])
async def test_time_filters_include_their_start_and_exclude_their_end(
    wire: Wire, field: str
) -> None:
    time = getattr(list(wire.shop.orders.values())[100], field)
    before = await search(wire, **{f"{field}_lt": time})
    after = await search(wire, **{f"{field}_ge": time})
    assert before["total_count"] + after["total_count"] == 200
    exactly = await search(wire, **{f"{field}_ge": time, f"{field}_lt": time + 1})
    assert {order[field] for order in exactly["orders"]} == {time}


@pytest.mark.parametrize(
    ("query", "body", "word"),
    [
        ({"page_size": 0}, {}, "page_size"),
        ({"page_size": 101}, {}, "page_size"),
        ({"page_size": "many"}, {}, "page_size"),
        ({"page_token": "?"}, {}, "page_token"),
        ({"page_token": "eHl6"}, {}, "page_token"),
        ({"sort_order": "UP"}, {}, "sort_order"),
        ({}, {"order_status": 1}, "order_status"),
        ({}, {"create_time_ge": "yesterday"}, "create_time_ge"),
        ({}, {"create_time_ge": True}, "create_time_ge"),
        ({}, {"is_buyer_request_cancel": "no"}, "is_buyer_request_cancel"),
        ({}, {"status": "UNPAID"}, "status"),
    ],
)
async def test_a_faulty_search_names_what_is_wrong(
    wire: Wire, query: dict[str, Any], body: dict[str, Any], word: str
) -> None:
    answer = await wire.call("POST", SEARCH_ORDERS, query={"page_size": 10, **query}, json=body)
    assert (answer["code"], word in answer["message"]) == (36009004, True)


async def test_a_search_without_a_body_finds_all(wire: Wire) -> None:
    answer = await wire.call("POST", SEARCH_ORDERS, query={"page_size": 1})
    assert answer["data"]["total_count"] == 200


async def test_details_come_in_the_order_asked_for(wire: Wire) -> None:
    """What the shop does not have is left out."""
    ids = list(wire.shop.orders)[:3]
    query = {"ids": ",".join([ids[2], "123", ids[0], ids[0]])}
    answer = await wire.call("GET", ORDERS, query=query)
    assert [order["id"] for order in answer["data"]["orders"]] == [ids[2], ids[0]]


async def test_at_most_50_orders_are_detailed_at_once(wire: Wire) -> None:
    answer = await wire.call("GET", ORDERS, query={"ids": ",".join(map(str, range(51)))})
    assert answer["code"] == 36009004


async def test_the_recipient_is_hidden_until_the_order_is_firm(wire: Wire) -> None:
    """During the buyer's remorse nobody learns the address."""
    hidden = await wire.order(wire.order_ids("ON_HOLD")[0])
    shown = await wire.order(wire.order_ids("AWAITING_SHIPMENT")[0])
    assert "recipient_address" not in hidden
    assert shown["recipient_address"]["region_code"] == "US"


async def test_amounts_are_text_and_add_up(wire: Wire) -> None:
    for order in (await search(wire))["orders"]:
        payment = order["payment"]
        cents = {name: round(float(payment[name]) * 100) for name in payment if name != "currency"}
        assert cents["sub_total"] == sum(
            round(float(line["sale_price"]) * 100) for line in order["line_items"]
        )
        parts = cents["sub_total"] + cents["shipping_fee"] + cents["tax"]
        assert cents["total_amount"] == parts


async def test_cancellations_are_found_by_order(wire: Wire) -> None:
    ids = wire.order_ids("AWAITING_SHIPMENT")[:3]
    cancel_ids = [(await wire.cancel(order_id))["data"]["cancel_id"] for order_id in ids]
    data = await search(wire, SEARCH_CANCELLATIONS, 10, order_ids=[*ids[:2], "123"])
    assert [each["cancel_id"] for each in data["cancellations"]] == cancel_ids[:2]
    cancellation = data["cancellations"][0]
    assert (cancellation["role"], cancellation["cancel_reason"]) == ("SELLER", PAID)
    refund = cancellation["refund_amount"]
    assert refund["refund_total"] == (await wire.order(ids[0]))["payment"]["total_amount"]


async def test_nothing_is_refunded_for_an_unpaid_order(wire: Wire) -> None:
    order_id = wire.order_ids("UNPAID")[0]
    await wire.cancel(order_id, UNPAID)
    data = await search(wire, SEARCH_CANCELLATIONS, 10, order_ids=[order_id])
    assert "refund_amount" not in data["cancellations"][0]


async def test_cancellations_come_in_pages_of_at_most_50(wire: Wire) -> None:
    ids = wire.order_ids("AWAITING_SHIPMENT")[:60]
    for order_id in ids:
        await wire.cancel(order_id)
    found = await walk(wire, SEARCH_CANCELLATIONS, "cancellations", 25, sort_order="DESC")
    assert {each["order_id"] for each in found} >= set(ids)
    assert len({each["cancel_id"] for each in found}) == len(found)
    answer = await wire.call("POST", SEARCH_CANCELLATIONS, query={"page_size": 51}, json={})
    assert answer["code"] == 36009004
    answer = await wire.call("POST", SEARCH_CANCELLATIONS, json={})
    assert len(answer["data"]["cancellations"]) == 10


async def test_cancellations_are_filtered_by_what_they_are(wire: Wire) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    cancel_id = (await wire.cancel(order_id))["data"]["cancel_id"]
    buyer = wire.shop.orders[order_id].buyer.user_id
    for body in (
        {"cancel_ids": [cancel_id]},
        {"buyer_user_ids": [buyer]},
        {"create_time_ge": int(wire.clock())},
    ):
        data = await search(wire, SEARCH_CANCELLATIONS, 10, **body)
        assert [each["cancel_id"] for each in data["cancellations"]] == [cancel_id]
    for body in (
        {"cancel_types": ["BUYER_CANCEL"]},
        {"cancel_status": ["CANCELLATION_REQUEST_PENDING"]},
    ):
        assert (await search(wire, SEARCH_CANCELLATIONS, 10, **body))["total_count"] == 0


async def test_the_older_search_says_nothing_about_stock(wire: Wire) -> None:
    """``should_replenish_stock`` came with 202602."""
    await wire.cancel(wire.order_ids("AWAITING_SHIPMENT")[0])
    new = await search(wire, SEARCH_CANCELLATIONS, 1)
    old = await search(wire, SEARCH_CANCELLATIONS.replace("202602", "202309"), 1)
    assert "should_replenish_stock" in new["cancellations"][0]
    assert "should_replenish_stock" not in old["cancellations"][0]


async def test_eligibility_names_the_reasons_that_cancel_order_takes(wire: Wire) -> None:
    order_id = wire.order_ids("UNPAID")[0]
    path = AFTERSALE.format(version="202602", order_id=order_id)
    skus = (await wire.call("GET", path))["data"]["sku_eligibility"]
    lines = [line for sku in skus for line in sku["line_item_eligibility"]]
    assert {line["eligible"] for line in lines} == {True}
    assert UNPAID in lines[0]["available_reason_names"]
    assert (await wire.cancel(order_id, lines[0]["available_reason_names"][-1]))["code"] == 0
    skus = (await wire.call("GET", path))["data"]["sku_eligibility"]
    lines = [line for sku in skus for line in sku["line_item_eligibility"]]
    assert {(line["eligible"], line["ineligible_code"]) for line in lines} == {(False, 25001001)}


async def test_eligibility_of_an_older_version_has_no_reasons(wire: Wire) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    path = AFTERSALE.format(version="202309", order_id=order_id)
    (sku, *_) = (await wire.call("GET", path))["data"]["sku_eligibility"]
    assert sku["line_item_eligibility"][0].keys() == {
        "request_type",
        "order_line_items_ids",
        "eligible",
    }
    unknown = AFTERSALE.format(version="202309", order_id="123")
    assert (await wire.call("GET", unknown))["code"] == 25001002
