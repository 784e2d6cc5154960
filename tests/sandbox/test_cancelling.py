"""Cancelling: what may be cancelled, when, for which reasons, and what comes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from sandbox.wire import CANCEL, PAID, SEARCH_CANCELLATIONS, UNPAID, Wire, new_wire

SUCCESS = "CANCELLATION_REQUEST_SUCCESS"
PENDING = "CANCELLATION_REQUEST_PENDING"


@pytest.mark.parametrize(
    ("status", "reason"), [("UNPAID", UNPAID), ("ON_HOLD", PAID), ("AWAITING_SHIPMENT", PAID)]
)
async def test_an_order_is_cancelled_before_it_is_shipped(
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
    "status", ["AWAITING_COLLECTION", "IN_TRANSIT", "DELIVERED", "COMPLETED", "CANCELLED"]
)
async def test_an_order_is_not_cancelled_later(wire: Wire, status: str) -> None:
    """The refusal is a business error: HTTP 200, and nothing changes."""
    order_id = wire.order_ids(status)[0]
    before = await wire.order(order_id)
    answer = await wire.cancel(order_id)
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
            "not both",
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
        assert (again["code"], "under way" in again["message"]) == (25001001, True)
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
