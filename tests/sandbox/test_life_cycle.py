"""The life of an order: paid, held, packed, shipped, collected, delivered, completed."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.scenarios import NO_NEED, PACKAGES, delivered, order_in, refuses
from sandbox.wire import PAID, UNPAID, Wire

from tiktok_shop_async.sandbox import Refusal, Shop

SEARCH_PACKAGES = PACKAGES + "/search"


async def test_an_order_goes_its_whole_way(wire: Wire) -> None:
    """Each step shows at the wire, and its events are told in that order."""
    order_id = wire.order_ids("UNPAID")[0]
    told: list[Any] = []
    shop = wire.shop
    shop.ledger.on_event = lambda event: (
        told.append(event.data["order_status"]) if event.data["order_id"] == order_id else None
    )
    assert "paid_time" not in await wire.order(order_id)
    shop.pay(order_id)
    held = await wire.order(order_id)
    assert (held["status"], held["is_on_hold_order"], held["packages"]) == ("ON_HOLD", True, [])
    assert held["paid_time"] == wire.clock()
    wire.clock.now += shop.spans.hold_seconds
    assert (await wire.order(order_id))["status"] == "AWAITING_SHIPMENT"
    shop.ship(order_id, tracking_number="JX1")
    shipped = await wire.order(order_id)
    assert (shipped["status"], shipped["tracking_number"]) == ("AWAITING_COLLECTION", "JX1")
    shop.collect(order_id)
    assert (await wire.order(order_id))["status"] == "IN_TRANSIT"
    shop.deliver(order_id)
    assert (await wire.order(order_id))["status"] == "DELIVERED"
    shop.complete(order_id)
    done = await wire.order(order_id)
    assert done["status"] == "COMPLETED"
    assert {line["display_status"] for line in done["line_items"]} == {"COMPLETED"}
    assert told == [
        "ON_HOLD",
        "AWAITING_SHIPMENT",
        "AWAITING_COLLECTION",
        "IN_TRANSIT",
        "DELIVERED",
        "COMPLETED",
    ]


async def test_the_hold_ends_after_its_hour_and_not_before(wire: Wire) -> None:
    order = order_in(wire, "UNPAID")
    wire.shop.pay(order.id)
    wire.clock.now += 3599
    assert (await wire.order(order.id))["status"] == "ON_HOLD"
    wire.clock.now += 1
    firm = await wire.order(order.id)
    assert (firm["status"], firm["update_time"]) == ("AWAITING_SHIPMENT", wire.clock())
    assert len(firm["packages"]) == 1


async def test_an_order_that_nobody_pays_for_is_cancelled_by_the_system(wire: Wire) -> None:
    order = order_in(wire, "UNPAID")
    wire.clock.now += wire.shop.spans.payment_seconds
    shown = await wire.order(order.id)
    assert (shown["status"], shown["cancellation_initiator"]) == ("CANCELLED", "SYSTEM")
    assert shown["cancel_time"] == order.create_time + wire.shop.spans.payment_seconds


async def test_an_order_is_paid_once_and_not_while_it_is_being_cancelled(wire: Wire) -> None:
    order = order_in(wire, "UNPAID")
    wire.shop.settings.pending_share = 1.0
    await wire.cancel(order.id, UNPAID)
    with refuses(25001001):
        wire.shop.pay(order.id)
    with refuses(25001001):
        wire.shop.pay(wire.order_ids("ON_HOLD")[0])


@pytest.mark.parametrize("status", ["UNPAID", "ON_HOLD", "IN_TRANSIT", "COMPLETED", "CANCELLED"])
async def test_what_a_status_does_not_allow_is_refused(wire: Wire, status: str) -> None:
    order_id = wire.order_ids(status)[0]
    before = await wire.order(order_id)
    steps = [wire.shop.ship, wire.shop.collect, wire.shop.complete]
    for step in steps:
        with pytest.raises(Refusal):
            step(order_id)
    assert await wire.order(order_id) == before


async def test_packages_leave_one_by_one_and_the_order_is_as_far_as_the_last(wire: Wire) -> None:
    order = order_in(wire, "AWAITING_SHIPMENT", lines=3)
    first, second, *rest = [line.id for line in order.lines]
    shop = wire.shop
    one = shop.ship(order.id, [first])
    shown = await wire.order(order.id)
    assert shown["status"] == "PARTIALLY_SHIPPING"
    assert [line["display_status"] for line in shown["line_items"]] == [
        "AWAITING_COLLECTION",
        *["AWAITING_SHIPMENT"] * (1 + len(rest)),
    ]
    assert len({line["package_id"] for line in shown["line_items"]}) == 2
    shop.collect(order.id)
    assert order.status == "PARTIALLY_SHIPPING"
    two = shop.ship(order.id, [second, *rest])
    assert order.status == "AWAITING_COLLECTION"
    shop.deliver(order.id, one.id)
    assert order.status == "AWAITING_COLLECTION"
    shop.collect(order.id, two.id)
    assert order.status == "IN_TRANSIT"
    with refuses(10007002):
        shop.collect(order.id, one.id)
    shop.deliver(order.id)
    assert order.status == "DELIVERED"


async def test_cancelling_what_was_not_sent_lets_the_rest_go_on(wire: Wire) -> None:
    """Without the line items that held it back, the order is where its package is."""
    order = order_in(wire, "AWAITING_SHIPMENT", lines=2)
    wire.shop.ship(order.id, [order.lines[0].id])
    wire.shop.collect(order.id)
    sent = await wire.cancel(order.id, order_line_item_ids=[order.lines[0].id])
    assert (sent["code"], "IN_TRANSIT" in sent["message"]) == (25001001, True)
    assert (await wire.cancel(order.id))["code"] == 0
    shown = await wire.order(order.id)
    assert shown["status"] == "IN_TRANSIT"
    assert "CANCELLED" in {line["display_status"] for line in shown["line_items"]}


async def test_what_is_being_cancelled_is_not_shipped(wire: Wire) -> None:
    wire.shop.settings.pending_share = 1.0
    order = order_in(wire, "AWAITING_SHIPMENT", lines=2)
    await wire.cancel(order.id, order_line_item_ids=[order.lines[0].id])
    package_id = order.packages[0].id
    answer = await wire.call("POST", f"{PACKAGES}/{package_id}/ship", json={})
    assert answer["code"] == 10007014
    assert (await wire.call("POST", PACKAGES, json={"order_id": order.id}))["code"] == 10007014
    wire.shop.ship(order.id, [order.lines[1].id])
    assert order.status == "PARTIALLY_SHIPPING"


async def test_a_package_is_found_shipped_and_delivered_through_the_api(wire: Wire) -> None:
    order = order_in(wire, "AWAITING_SHIPMENT", lines=2)
    shown = await wire.order(order.id)
    (package,) = shown["packages"]
    own = {"tracking_number": "1Z999", "shipping_provider_id": "7"}
    body = {"handover_method": "PICKUP", "self_shipment": own}
    path = f"{PACKAGES}/{package['id']}"
    assert (await wire.call("POST", f"{path}/ship", json=body)) | {"request_id": ""} == {
        "code": 0,
        "message": "Success",
        "request_id": "",
        "data": {},
    }
    assert (await wire.call("POST", f"{path}/ship", json=body))["code"] == 25001001
    detail = (await wire.call("GET", path))["data"]
    assert (detail["package_status"], detail["tracking_number"]) == ("PROCESSING", "1Z999")
    assert (detail["handover_method"], detail["shipping_provider_id"]) == ("PICKUP", "7")
    assert sorted(detail["order_line_item_ids"]) == sorted(line.id for line in order.lines)
    deliver = {"packages": [{"id": package["id"], "delivery_type": "DELIVERY_SUCCESS"}]}
    early = (await wire.call("POST", f"{PACKAGES}/deliver", json=deliver))["data"]["errors"]
    assert [error["code"] for error in early] == [10007002]
    wire.shop.collect(order.id)
    failed = {"packages": [{"id": package["id"], "delivery_type": "DELIVERY_FAILED"}]}
    for status, sent in (("IN_TRANSIT", failed), ("DELIVERED", deliver)):
        answer = await wire.call("POST", f"{PACKAGES}/deliver", json=sent)
        assert answer["data"]["errors"] == []
        assert (await wire.order(order.id))["status"] == status
    assert (await wire.call("GET", f"{PACKAGES}/1"))["code"] == 10007001


async def test_packages_shipped_together_fail_one_by_one(wire: Wire) -> None:
    good, done = order_in(wire, "AWAITING_SHIPMENT"), order_in(wire, "IN_TRANSIT")
    ids = [done.packages[0].id, good.packages[0].id, "1"]
    body = {"packages": [{"id": each} for each in ids]}
    errors = (await wire.call("POST", f"{PACKAGES}/ship", json=body))["data"]["errors"]
    assert {error["detail"]["package_id"]: error["code"] for error in errors} == {
        ids[0]: 25001001,
        "1": 10007001,
    }
    assert good.status == "AWAITING_COLLECTION"


@pytest.mark.parametrize("version", ["202309", "202610"])
async def test_a_seller_marks_a_part_as_shipped(wire: Wire, version: str) -> None:
    order = order_in(wire, "AWAITING_SHIPMENT", lines=2)
    line_id = order.lines[1].id
    tracking = {"tracking_number": "1Z9", "shipping_provider_id": "7"}
    body: dict[str, Any] = (
        {"order_line_item_ids": [line_id], **tracking}
        if version == "202309"
        else {"order_line_list": [{"order_line_id": line_id}], "shipping_info_list": [tracking]}
    )
    path = f"/fulfillment/{version}/orders/{order.id}/packages"
    data = (await wire.call("POST", path, json=body))["data"]
    assert (data["order_id"], data["order_line_item_ids"]) == (order.id, [line_id])
    assert wire.shop.fulfillment.packages[data["package_id"]].tracking_number == "1Z9"
    assert order.status == "PARTIALLY_SHIPPING"
    again = await wire.call("POST", path, json=body)
    assert again["code"] == 25001003


async def test_a_part_is_packed_apart_and_the_whole_is_packed_already(wire: Wire) -> None:
    order = order_in(wire, "AWAITING_SHIPMENT", lines=2)
    whole = order.packages[0].id
    same = (await wire.call("POST", PACKAGES, json={"order_id": order.id}))["data"]
    assert same["package_id"] == whole
    body = {"order_id": order.id, "order_line_item_ids": [order.lines[0].id]}
    apart = (await wire.call("POST", PACKAGES, json=body))["data"]
    assert apart["order_line_item_ids"] == [order.lines[0].id]
    assert {each["id"] for each in (await wire.order(order.id))["packages"]} == {
        whole,
        apart["package_id"],
    }
    together = (await wire.call("POST", PACKAGES, json={"order_id": order.id}))["data"]
    assert [each.id for each in order.packages] == [together["package_id"]]
    assert (await wire.call("GET", f"{PACKAGES}/{whole}"))["code"] == 10007001
    many = {"order_list_ids": [order.id, order.id], "ship_type": "2"}
    path = PACKAGES.replace("202309", "202512")
    assert (await wire.call("POST", path, json=many))["code"] == 36009004


async def test_packages_are_searched_by_status_and_time(wire: Wire) -> None:
    async def found(**body: Any) -> list[Any]:
        query = {"page_size": 50, "sort_field": "order_pay_time"}
        answer = await wire.call("POST", SEARCH_PACKAGES, query=query, json=body)
        packages: list[Any] = answer["data"]["packages"]
        return packages

    assert {each["status"] for each in await found(package_status="FULFILLING")} == {"FULFILLING"}
    newest = max(each.update_time for each in wire.shop.fulfillment.packages.values())
    wire.clock.now = newest + 5
    order = order_in(wire, "AWAITING_SHIPMENT")
    wire.shop.ship(order.id)
    (changed,) = await found(update_time_ge=newest + 1)
    assert changed["orders"][0]["id"] == order.id
    await wire.cancel(wire.order_ids("AWAITING_SHIPMENT")[-1], PAID)
    assert len(await found(package_status="CANCELLED")) == 1


async def test_an_order_is_not_completed_while_a_return_is_open(wire: Wire) -> None:
    order = delivered(wire)
    reason = "ecom_order_delivered_refund_reason_damaged"
    request = wire.shop.request_return(order.id, reason)
    with refuses(25001001):
        wire.shop.complete(order.id)
    wire.shop.withdraw_return(request.id)
    assert wire.shop.complete(order.id).status == "COMPLETED"


@pytest.mark.parametrize(("region", "code"), [("US", 25001001), ("TH", 0)])
async def test_buyers_in_south_east_asia_may_cancel_what_is_packed(
    wire: Wire, region: str, code: int
) -> None:
    wire.shop.settings.region = region
    order = order_in(wire, "AWAITING_SHIPMENT", lines=2)
    wire.shop.ship(order.id)
    if code:
        with refuses(code):
            wire.shop.request_cancellation(order.id, NO_NEED)
        return
    cancellation = wire.shop.request_cancellation(order.id, NO_NEED)
    with refuses(10007014):
        wire.shop.collect(order.id)
    wire.shop.approve_cancellation(cancellation.id)
    assert order.status == "CANCELLED"
    assert {package.status for package in order.packages} == {"CANCELLED"}


def test_a_shop_by_hand_needs_no_more_than_its_names() -> None:
    shop = Shop(id="1", name="A shop", cipher="C", clock=lambda: 0.0)
    assert (
        shop.orders,
        shop.fulfillment.packages,
        shop.returns.by_id,
        shop.cancellations.by_id,
    ) == ({}, {}, {}, {})
