"""Cancelling: what may be cancelled, when, for which reasons, and what comes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from sandbox.wire import CANCEL, PAID, SEARCH_CANCELLATIONS, UNPAID, Wire, new_wire

from tiktok_shop_async.sandbox import Refusal

SUCCESS = "CANCELLATION_REQUEST_SUCCESS"
PENDING = "CANCELLATION_REQUEST_PENDING"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("UNPAID", UNPAID),
        ("ON_HOLD", PAID),
        ("AWAITING_SHIPMENT", PAID),
        ("AWAITING_COLLECTION", PAID),
    ],
)
async def test_an_order_is_cancelled_before_its_carrier_has_it(
    wire: Wire, status: str, reason: str
) -> None:
    order_id = wire.order_ids(status)[0]
    answer = await wire.cancel(order_id, reason)
    assert answer["data"]["cancel_status"] == SUCCESS
    order = await wire.order(order_id)
    assert order["status"] == "CANCELLED"
    assert order["cancellation_initiator"] == "SELLER"
    assert order["cancel_time"] == wire.clock()
    assert {line["display_status"] for line in order["line_items"]} == {"CANCELLED"}
    assert {line["cancel_user"] for line in order["line_items"]} == {"SELLER"}


@pytest.mark.parametrize(
    ("status", "region"),
    [
        ("AWAITING_COLLECTION", "GB"),
        ("AWAITING_COLLECTION", "TH"),
        ("IN_TRANSIT", "US"),
        ("DELIVERED", "US"),
        ("COMPLETED", "US"),
        ("CANCELLED", "US"),
    ],
)
async def test_an_order_is_not_cancelled_later(wire: Wire, status: str, region: str) -> None:
    """The refusal is a business error: HTTP 200, and nothing changes."""
    wire.shop.settings.region = region
    order_id = wire.order_ids(status)[0]
    before = await wire.order(order_id)
    answer = await wire.cancel(order_id, PAID + "_uk" * (region == "GB"))
    assert (answer["code"], answer["data"]) == (25001001, None)
    assert await wire.order(order_id) == before


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        ("AWAITING_SHIPMENT", "because", 25001014),
        ("AWAITING_SHIPMENT", UNPAID, 25001021),
        ("ON_HOLD", UNPAID, 25001021),
        ("UNPAID", PAID, 25001021),
    ],
)
async def test_the_reason_must_fit_the_status(
    wire: Wire, status: str, reason: str, code: int
) -> None:
    order_id = wire.order_ids(status)[0]
    assert (await wire.cancel(order_id, reason))["code"] == code
    assert (await wire.order(order_id))["status"] == status


async def test_what_waits_for_its_carrier_is_cancelled_with_its_package(wire: Wire) -> None:
    """In part and as a whole; the stock gets its units back, and no carrier takes the package."""
    order = wire.shop.orders[wire.order_ids("AWAITING_COLLECTION", lines=2)[0]]
    (package,) = order.packages
    stock = wire.shop.stock
    skus = [stock.product(line.sku.product_id).sku(line.sku.id) for line in order.lines]
    before = [sku.quantity for sku in skus]
    assert (await wire.cancel(order.id, order_line_item_ids=[order.lines[0].id]))["code"] == 0
    assert (order.status, package.status) == ("AWAITING_COLLECTION", "PROCESSING")
    assert package.left == order.lines[1:]
    assert (await wire.cancel(order.id))["code"] == 0
    assert (order.status, package.status) == ("CANCELLED", "CANCELLED")
    more = Counter(line.sku.id for line in order.lines)
    after = [quantity + more[sku.sku.id] for quantity, sku in zip(before, skus, strict=True)]
    assert [sku.quantity for sku in skus] == after
    with pytest.raises(Refusal):
        wire.shop.collect(order.id)


ADDRESS = "seller_cancel_paid_reason_address_not_deliver"
PRICE = "seller_cancel_reason_wrong_price"
ASKED = "seller_cancel_paid_reason_buyer_requested_cancellation"
FRAUD = "seller_cancel_order_reason_potential_fraud"
OVERDUE = "seller_cancel_unpaid_reason_buyer_hasnt_paid_within_time_allowed"
UNPAID_PRICE = "seller_cancel_unpaid_reason_wrong_price"
UNPAID_ASKED = "seller_cancel_unpaid_reason_buyer_requested_cancellation"


@pytest.mark.parametrize(
    ("region", "paid", "unpaid"),
    [
        ("US", {PAID, PRICE, ADDRESS, ASKED}, {UNPAID, UNPAID_PRICE, OVERDUE, UNPAID_ASKED}),
        ("DE", {PAID, PRICE, ADDRESS, ASKED}, {UNPAID, UNPAID_PRICE, OVERDUE, UNPAID_ASKED}),
        ("MX", {PAID, ADDRESS, ASKED}, {UNPAID, OVERDUE, UNPAID_ASKED}),
        ("BR", {PAID, ADDRESS, ASKED}, {UNPAID, UNPAID_PRICE, OVERDUE, UNPAID_ASKED}),
        ("PH", {PAID, PRICE, ASKED}, {UNPAID, UNPAID_PRICE, OVERDUE, UNPAID_ASKED}),
        ("SG", {PAID, PRICE}, {UNPAID, UNPAID_PRICE}),
        (
            "JP",
            {PAID, PRICE, ADDRESS, ASKED, FRAUD},
            {UNPAID, UNPAID_PRICE, OVERDUE, UNPAID_ASKED},
        ),
        (
            "GB",
            {f"{PAID}_uk", f"{PRICE}_uk", f"{ADDRESS}_uk"},
            {UNPAID, UNPAID_PRICE, OVERDUE},
        ),
    ],
)
async def test_sellers_have_the_reasons_of_their_region(
    wire: Wire, region: str, paid: set[str], unpaid: set[str]
) -> None:
    """They are told before, and only these are taken."""
    wire.shop.settings.region = region
    for status, reasons in (("AWAITING_SHIPMENT", paid), ("ON_HOLD", paid), ("UNPAID", unpaid)):
        free = iter(wire.order_ids(status))
        path = f"/return_refund/202602/orders/{next(free)}/aftersale_eligibility"
        told = (await wire.call("GET", path))["data"]["sku_eligibility"][0]
        assert set(told["line_item_eligibility"][0]["available_reason_names"]) == reasons
        for reason in reasons:
            assert (await wire.cancel(next(free), reason))["code"] == 0, reason
        for other in {PAID, PRICE, ASKED, FRAUD, OVERDUE} - reasons:
            assert (await wire.cancel(next(free), other))["code"] == 25001021


@pytest.mark.parametrize(
    ("region", "reason", "code"),
    [
        ("US", PAID, 0),
        ("US", PRICE, 25001021),
        ("GB", f"{PAID}_uk", 0),
        ("GB", f"{PRICE}_uk", 25001021),
        ("DE", PAID, 25001021),
    ],
)
async def test_a_part_is_cancelled_for_lack_of_stock_in_few_regions(
    wire: Wire, region: str, reason: str, code: int
) -> None:
    wire.shop.settings.region = region
    order_id = wire.order_ids("AWAITING_SHIPMENT", lines=2)[0]
    lines = [line.id for line in wire.shop.orders[order_id].lines]
    assert (await wire.cancel(order_id, reason, order_line_item_ids=lines[:1]))["code"] == code
    # All that is left is no part.
    rest = lines[1:] if code == 0 else lines
    assert (await wire.cancel(order_id, reason, order_line_item_ids=rest))["code"] == 0
    assert wire.shop.orders[order_id].status == "CANCELLED"


async def test_an_order_is_not_cancelled_twice(wire: Wire) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    answers = await asyncio.gather(*(wire.cancel(order_id) for _ in range(5)))
    assert Counter(answer["code"] for answer in answers) == {0: 1, 25001001: 4}
    assert max(wire.shop.times_cancelled.values()) == 1


async def test_a_second_processed_cancellation_would_show(wire: Wire) -> None:
    """The shop counts per line item, so that a client's double cancellation cannot hide."""
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    order = wire.shop.orders[order_id]
    order.status = "AWAITING_SHIPMENT"
    for line in order.lines:
        line.cancellation = None
    await wire.cancel(order_id)
    assert wire.shop.times_cancelled[order.lines[0].id] == 2


async def test_an_unknown_order_is_refused(wire: Wire) -> None:
    assert (await wire.cancel("123"))["code"] == 25001002


async def test_a_part_is_cancelled_by_line_items_until_nothing_is_left(wire: Wire) -> None:
    """The order becomes CANCELLED only when all its items are."""
    order_id = wire.order_ids("AWAITING_SHIPMENT", lines=3)[0]
    first, *rest = [line["id"] for line in (await wire.order(order_id))["line_items"]]
    assert (await wire.cancel(order_id, order_line_item_ids=[first, first]))["code"] == 0
    order = await wire.order(order_id)
    assert order["status"] == "AWAITING_SHIPMENT"
    statuses = [line["display_status"] for line in order["line_items"]]
    assert statuses == ["CANCELLED"] + ["AWAITING_SHIPMENT"] * len(rest)
    again = await wire.cancel(order_id, order_line_item_ids=[first])
    assert (again["code"], "already cancelled" in again["message"]) == (25001001, True)
    lines = [{"order_line_item_id": line_id} for line_id in rest]
    assert (await wire.cancel(order_id, order_line_list=lines))["code"] == 0
    assert (await wire.order(order_id))["status"] == "CANCELLED"


async def test_the_rest_of_an_order_is_cancelled_as_a_whole(wire: Wire) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT", lines=2)[0]
    line_id = (await wire.order(order_id))["line_items"][0]["id"]
    await wire.cancel(order_id, order_line_item_ids=[line_id])
    await wire.cancel(order_id)
    assert (await wire.order(order_id))["status"] == "CANCELLED"
    assert max(wire.shop.times_cancelled.values()) == 1


async def test_a_part_is_cancelled_by_sku_and_quantity(wire: Wire) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT", lines=2)[0]
    sku_id = (await wire.order(order_id))["line_items"][1]["sku_id"]
    answer = await wire.cancel(order_id, skus=[{"sku_id": sku_id, "quantity": 1}])
    assert answer["code"] == 0
    lines = (await wire.order(order_id))["line_items"]
    cancelled = [line["sku_id"] for line in lines if line["display_status"] == "CANCELLED"]
    assert cancelled == [sku_id]


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        ({"order_line_item_ids": ["1"]}, 25001003, "line item"),
        ({"skus": [{"sku_id": "1", "quantity": 1}]}, 25001003, "SKU"),
        ({"skus": [{"sku_id": "1", "quantity": 0}]}, 36009004, "quantity"),
        ({"skus": [{"sku_id": "1"}]}, 36009004, "quantity"),
        ({"skus": [{"quantity": 1}]}, 36009004, "sku_id"),
        ({"skus": ["1"]}, 36009004, "skus"),
        ({"skus": {"sku_id": "1"}}, 36009004, "skus"),
        ({"order_line_item_ids": "1"}, 36009004, "order_line_item_ids"),
        ({"order_line_item_ids": [1]}, 36009004, "order_line_item_ids"),
        (
            {"order_line_item_ids": ["1"], "skus": [{"sku_id": "1", "quantity": 1}]},
            36009004,
            "cannot be combined",
        ),
        ({"order_line_list": [{}]}, 36009004, "order_line_item_id"),
        ({"order_line_list": [{"sub_order_line_item_id": "1"}]}, 36009004, "bundle"),
        ({"cancel_reason": 7}, 36009004, "cancel_reason"),
        ({"cancel_reason": ""}, 36009004, "cancel_reason"),
        ({"cancel_resaon": PAID}, 36009004, "cancel_resaon"),
    ],
)
async def test_a_faulty_selection_changes_nothing(
    wire: Wire, body: dict[str, Any], code: int, word: str
) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    answer = await wire.cancel(order_id, **body)
    assert (answer["code"], word in answer["message"]) == (code, True)
    assert not wire.shop.orders[order_id].cancellations


async def test_the_older_version_has_its_own_shape(wire: Wire) -> None:
    """202309 answers with ``success`` and knows no ``order_line_list``."""
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    body = {"order_id": order_id, "cancel_reason": PAID}
    path = CANCEL.replace("202602", "202309")
    odd = await wire.call("POST", path, json={**body, "order_line_list": []})
    assert (odd["code"], "order_line_list" in odd["message"]) == (36009004, True)
    data = (await wire.call("POST", path, json=body))["data"]
    assert data == {"cancel_id": data["cancel_id"], "cancel_status": SUCCESS, "success": True}


async def test_a_pending_cancellation_goes_through_later() -> None:
    """Until then the order is what it was, and nothing of it can be cancelled again."""
    wire = new_wire(pending_share=1.0, pending_seconds=5.0)
    async with wire.http:
        order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
        answer = await wire.cancel(order_id)
        assert answer["data"]["cancel_status"] == PENDING
        assert (await wire.order(order_id))["status"] == "AWAITING_SHIPMENT"
        again = await wire.cancel(order_id)
        assert (again["code"], "is open" in again["message"]) == (25001001, True)
        line_id = wire.shop.orders[order_id].lines[0].id
        part = await wire.cancel(order_id, order_line_item_ids=[line_id])
        assert (part["code"], "being cancelled" in part["message"]) == (25001001, True)

        wire.clock.now += 5
        assert (await wire.order(order_id))["status"] == "CANCELLED"
        found = await wire.call("POST", SEARCH_CANCELLATIONS, json={"order_ids": [order_id]})
        (cancellation,) = found["data"]["cancellations"]
        assert cancellation["cancel_status"] == SUCCESS
        assert cancellation["update_time"] == cancellation["create_time"] + 5


async def test_which_cancellations_stay_pending_follows_from_the_seed() -> None:
    """Not from the order of the calls, which concurrency leaves to chance."""
    pending = []
    for backwards in (False, True):
        wire = new_wire(orders=400, pending_share=0.2)
        async with wire.http:
            ids = sorted(wire.order_ids("AWAITING_SHIPMENT"), reverse=backwards)
            answers = {order_id: await wire.cancel(order_id) for order_id in ids}
        pending.append(
            {key for key, one in answers.items() if one["data"]["cancel_status"] == PENDING}
        )
    assert pending[0] == pending[1]
    assert 0.1 < len(pending[0]) / len(answers) < 0.3
