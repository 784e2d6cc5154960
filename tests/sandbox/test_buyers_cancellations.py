"""What buyers ask to cancel, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.scenarios import (
    APPROVE_CANCELLATION,
    DECISIONS,
    NO_NEED,
    PACKED,
    REJECT_CANCELLATION,
    REJECT_REASONS,
    find_cancellation,
    order_in,
    refuses,
)
from sandbox.wire import PAID, SEARCH_CANCELLATIONS, SEARCH_ORDERS, Wire

from tiktok_shop_async.sandbox import Spans
from tiktok_shop_async.sandbox.domain.entities.orders import Cancellation

UNPAID_NO_NEED = "ecom_order_unpaid_canceled_reason_no_longer_needed"
DAY = 86400


def ask(wire: Wire, *, lines: int = 1) -> Cancellation:
    order = order_in(wire, "AWAITING_SHIPMENT", lines=lines)
    return wire.shop.request_cancellation(order.id, NO_NEED)


async def approve(wire: Wire, cancel_id: str, key: str | None = None) -> Any:
    query = {"idempotency_key": key} if key else {}
    return await wire.call("POST", APPROVE_CANCELLATION.format(cancel_id), query=query)


async def reject(wire: Wire, cancel_id: str, reason: str = PACKED, key: str | None = None) -> Any:
    query = {"idempotency_key": key} if key else {}
    path, body = REJECT_CANCELLATION.format(cancel_id), {"reject_reason": reason}
    return await wire.call("POST", path, query=query, json=body)


async def orders_asked_for(wire: Wire, asked: bool) -> set[str]:
    body = {"is_buyer_request_cancel": asked}
    answer = await wire.call("POST", SEARCH_ORDERS, query={"page_size": 100}, json=body)
    return {order["id"] for order in answer["data"]["orders"]}


async def test_a_request_of_a_firm_order_awaits_the_seller(wire: Wire) -> None:
    cancellation = ask(wire)
    order_id = cancellation.order.id
    shown = await find_cancellation(wire, cancellation.id)
    assert (shown["cancel_type"], shown["role"], shown["cancel_status"]) == (
        "BUYER_CANCEL",
        "BUYER",
        "CANCELLATION_REQUEST_PENDING",
    )
    deadline = wire.clock() + 2 * DAY
    assert shown["seller_next_action_response"] == [
        {"action": "SELLER_RESPOND_BUYER_CANCEL", "deadline": deadline}
    ]
    older = await find_cancellation(wire, cancellation.id, "202309")
    assert older["seller_next_action_response"][0]["action"] == "SELLER_RESPOND_CANCEL"
    order = await wire.order(order_id)
    assert (order["status"], order["is_buyer_request_cancel"]) == ("AWAITING_SHIPMENT", True)
    assert order["request_cancel_time"] == wire.clock()
    assert await orders_asked_for(wire, True) == {order_id}
    assert order_id not in await orders_asked_for(wire, False)


@pytest.mark.parametrize("version", ["202309", "202602"])
async def test_buyers_requests_are_found_by_their_type(wire: Wire, version: str) -> None:
    cancellation = ask(wire)
    await wire.cancel(wire.order_ids("AWAITING_SHIPMENT")[-1])
    path = SEARCH_CANCELLATIONS.replace("202602", version)
    for kind, found in (("BUYER_CANCEL", 1), ("CANCEL", len(wire.shop.cancellations.by_id) - 1)):
        body = {"cancel_types": [kind]}
        data = (await wire.call("POST", path, query={"page_size": 50}, json=body))["data"]
        assert data["total_count"] == found
        ids = {each["cancel_id"] for each in data["cancellations"]}
        assert (cancellation.id in ids) == (kind == "BUYER_CANCEL")


async def test_an_approved_request_cancels_the_order(wire: Wire) -> None:
    cancellation = ask(wire)
    assert (await approve(wire, cancellation.id))["code"] == 0
    order = await wire.order(cancellation.order.id)
    assert (order["status"], order["cancellation_initiator"]) == ("CANCELLED", "BUYER")
    assert order["is_buyer_request_cancel"] is False
    shown = await find_cancellation(wire, cancellation.id)
    assert (shown["cancel_status"], shown["seller_next_action_response"]) == (
        "CANCELLATION_REQUEST_SUCCESS",
        [],
    )


async def test_a_rejected_request_leaves_the_order_to_be_shipped_or_cancelled(wire: Wire) -> None:
    cancellation = ask(wire)
    order_id = cancellation.order.id
    assert (await wire.cancel(order_id))["code"] == 25001001
    assert (await reject(wire, cancellation.id))["code"] == 0
    shown = await find_cancellation(wire, cancellation.id)
    assert (shown["cancel_status"], shown["should_replenish_stock"]) == (
        "CANCELLATION_REQUEST_CANCEL",
        False,
    )
    assert "refund_amount" not in shown
    order = await wire.order(order_id)
    assert (order["status"], order["is_buyer_request_cancel"]) == ("AWAITING_SHIPMENT", False)
    assert (await wire.cancel(order_id))["code"] == 0
    assert wire.shop.times_cancelled[cancellation.lines[0].id] == 1


async def test_the_reject_reason_must_be_one_that_was_offered(wire: Wire) -> None:
    cancellation = ask(wire)
    query = {"return_or_cancel_id": cancellation.id}
    reasons = (await wire.call("GET", REJECT_REASONS, query=query))["data"]["reasons"]
    assert PACKED in {reason["name"] for reason in reasons}
    assert (await reject(wire, cancellation.id, "because"))["code"] == 25001014
    assert (await reject(wire, cancellation.id, ""))["code"] == 36009004
    assert cancellation.awaits_seller
    assert (await reject(wire, cancellation.id, reasons[-1]["name"]))["code"] == 0


async def test_a_request_is_approved_by_itself_at_its_deadline(wire: Wire) -> None:
    wire.shop.spans = Spans(seller_response_seconds=600)
    cancellation = ask(wire)
    wire.clock.now += 599
    assert (await wire.order(cancellation.order.id))["status"] == "AWAITING_SHIPMENT"
    wire.clock.now += 1
    assert (await wire.order(cancellation.order.id))["status"] == "CANCELLED"
    for decide in (approve, reject):
        assert (await decide(wire, cancellation.id))["code"] == 25001005


async def test_a_rejected_request_is_not_approved_at_its_deadline(wire: Wire) -> None:
    cancellation = ask(wire)
    await reject(wire, cancellation.id)
    wire.clock.now += 3 * DAY
    assert (await wire.order(cancellation.order.id))["status"] == "AWAITING_SHIPMENT"


async def test_a_buyer_withdraws_and_asks_again(wire: Wire) -> None:
    first = ask(wire)
    wire.shop.withdraw_cancellation(first.id)
    assert (await find_cancellation(wire, first.id))["cancel_status"].endswith("_CANCEL")
    second = wire.shop.request_cancellation(first.order.id, NO_NEED)
    assert (await approve(wire, first.id))["code"] == 25001005
    assert (await approve(wire, second.id))["code"] == 0


@pytest.mark.parametrize(("status", "reason"), [("UNPAID", UNPAID_NO_NEED), ("ON_HOLD", NO_NEED)])
async def test_before_the_order_is_firm_no_decision_is_needed(
    wire: Wire, status: str, reason: str
) -> None:
    order = order_in(wire, status)
    cancellation = wire.shop.request_cancellation(order.id, reason)
    shown = await find_cancellation(wire, cancellation.id)
    assert (shown["cancel_type"], shown["role"]) == ("CANCEL", "BUYER")
    assert ("refund_amount" in shown) == (status == "ON_HOLD")
    assert (await wire.order(order.id))["status"] == "CANCELLED"


async def test_a_buyer_asks_for_a_part(wire: Wire) -> None:
    order = order_in(wire, "AWAITING_SHIPMENT", lines=2)
    line_id = order.lines[0].id
    cancellation = wire.shop.request_cancellation(order.id, NO_NEED, [line_id])
    with refuses(25001001):
        wire.shop.request_cancellation(order.id, NO_NEED, [line_id])
    await approve(wire, cancellation.id)
    statuses = {
        line["id"]: line["display_status"] for line in (await wire.order(order.id))["line_items"]
    }
    assert statuses.pop(line_id) == "CANCELLED"
    assert set(statuses.values()) == {"AWAITING_SHIPMENT"}


async def test_a_buyers_reason_must_fit_too(wire: Wire) -> None:
    unpaid, firm = order_in(wire, "UNPAID"), order_in(wire, "AWAITING_SHIPMENT")
    with refuses(25001021):
        wire.shop.request_cancellation(unpaid.id, NO_NEED)
    with refuses(25001021):
        wire.shop.request_cancellation(firm.id, PAID)
    with refuses(25001014):
        wire.shop.request_cancellation(firm.id, "because")
    assert (await wire.cancel(firm.id, NO_NEED))["code"] == 25001021


async def test_nobody_decides_about_a_sellers_own_or_an_unknown_cancellation(wire: Wire) -> None:
    wire.shop.settings.pending_share = 1.0
    own = (await wire.cancel(wire.order_ids("AWAITING_SHIPMENT")[0]))["data"]["cancel_id"]
    for decide in (approve, reject):
        assert (await decide(wire, own))["code"] == 25001005
        assert (await decide(wire, "1"))["code"] == 25001004


async def test_which_decisions_fit_is_told(wire: Wire) -> None:
    cancellation = ask(wire)
    query = {"return_or_cancel_id": cancellation.id}
    for eligible in (True, False):
        decisions = (await wire.call("GET", DECISIONS, query=query))["data"]["decisions"]
        assert [each["decision"] for each in decisions] == [
            "APPROVE_REQUEST_CANCEL",
            "REJECT_REQUEST_CANCEL",
        ]
        assert {each["eligible"] for each in decisions} == {eligible}
        await approve(wire, cancellation.id)
    unfit = {**query, "check_decisions": "APPROVE_REFUND"}
    (decision,) = (await wire.call("GET", DECISIONS, query=unfit))["data"]["decisions"]
    assert (decision["eligible"], decision["ineligible_code"]) == (False, 25001005)


async def test_a_key_makes_a_decision_once_and_gives_its_answer_again(wire: Wire) -> None:
    first, second = ask(wire), ask(wire)
    answers = [await approve(wire, first.id, "k1") for _ in range(3)]
    assert [(answer["code"], answer["data"]) for answer in answers] == [(0, {})] * 3
    assert (await approve(wire, first.id))["code"] == 25001005
    other = await approve(wire, second.id, "k1")
    assert (other["code"], "idempotency_key" in other["message"]) == (36009004, True)
    assert second.awaits_seller
    # The same key is another one for another operation.
    assert (await reject(wire, second.id, key="k1"))["code"] == 0
    assert (await reject(wire, second.id, key="k1"))["code"] == 0
    assert (await reject(wire, second.id, "seller_reject_apply_unable_to_change_address", "k1"))[
        "code"
    ] == 36009004


async def test_a_refused_call_leaves_its_key_free(wire: Wire) -> None:
    cancellation = ask(wire)
    assert (await reject(wire, cancellation.id, "because", "k"))["code"] == 25001014
    assert (await reject(wire, cancellation.id, key="k"))["code"] == 0


@pytest.mark.parametrize(("length", "code"), [(255, 0), (256, 36009004)])
async def test_a_key_has_at_most_255_characters(wire: Wire, length: int, code: int) -> None:
    assert (await approve(wire, ask(wire).id, "k" * length))["code"] == code


async def test_each_step_of_a_request_is_told(wire: Wire) -> None:
    told: list[Any] = []
    wire.shop.ledger.on_event = lambda event: told.append(
        (event.type, event.data.get("cancel_status"))
    )
    cancellation = ask(wire)
    await reject(wire, cancellation.id)
    second = wire.shop.request_cancellation(cancellation.order.id, NO_NEED)
    await approve(wire, second.id)
    request = "CANCELLATION_REQUEST_"
    assert told == [
        (11, request + "PENDING"),
        (11, request + "CANCELLED"),
        (11, request + "PENDING"),
        (11, request + "SUCCESS"),
        (1, None),
    ]
