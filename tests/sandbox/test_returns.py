"""Returns and refunds: who asks, who decides, and what goes back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sandbox.scenarios import (
    APPROVE_RETURN,
    CALCULATE,
    DAMAGED,
    DAMAGED_SAYS_SELLER,
    DECISIONS,
    ELIGIBILITY,
    LATE,
    NO_NEED,
    RECORDS,
    REJECT_REASONS,
    REJECT_RETURN,
    RETURNS,
    SEARCH_RETURNS,
    SENT_BACK,
    SENT_BACK_SAYS_SELLER,
    UNCLEAR,
    delivered,
    find_return,
    order_in,
    paid_for,
    refunded_for,
    refuses,
)
from sandbox.wire import PAID, Wire

from tiktok_shop_async.sandbox.domain.entities.orders import Order
from tiktok_shop_async.sandbox.domain.entities.returns import Return

BOTH = "RETURN_AND_REFUND"
PENDING = "RETURN_OR_REFUND_REQUEST_PENDING"
SUCCESS = "RETURN_OR_REFUND_REQUEST_SUCCESS"
COMPLETE = "RETURN_OR_REFUND_REQUEST_COMPLETE"
WITHDRAWN = "RETURN_OR_REFUND_REQUEST_CANCEL"
REJECTED = "REFUND_OR_RETURN_REQUEST_REJECT"


def cents(text: str) -> int:
    whole, part = text.split(".")
    return int(whole + part)


def ask_back(wire: Wire, *, lines: int = 2) -> Return:
    order = delivered(wire, lines=lines)
    return wire.shop.request_return(order.id, SENT_BACK, return_type=BOTH)


def ask_refund(wire: Wire, *, lines: int = 2) -> Return:
    return wire.shop.request_return(delivered(wire, lines=lines).id, DAMAGED)


async def approve(wire: Wire, request: Return, decision: str, **body: Any) -> Any:
    query = body.pop("query", {})
    body = {"decision": decision, **body}
    return await wire.call("POST", APPROVE_RETURN.format(request.id), query=query, json=body)


async def reject(wire: Wire, request: Return, decision: str, **body: Any) -> Any:
    body = {"decision": decision, "reject_reason": UNCLEAR, **body}
    return await wire.call("POST", REJECT_RETURN.format(request.id), json=body)


async def eligibility(wire: Wire, order: Order, types: str, user: str = "BUYER") -> Any:
    query = {"initiate_aftersale_user": user, "request_types": types}
    answer = await wire.call("GET", ELIGIBILITY.format(order.id), query=query)
    skus = answer["data"]["sku_eligibility"]
    return [line for sku in skus for line in sku["line_item_eligibility"]]


async def calculate(
    wire: Wire, order: Order, reason: str, kind: str = "REFUND", **body: Any
) -> Any:
    body = {"order_id": order.id, "request_type": kind, "reason_name": reason, **body}
    return await wire.call("POST", CALCULATE, json=body)


async def test_a_refund_goes_from_request_to_payout(wire: Wire) -> None:
    request = ask_refund(wire)
    shown = await find_return(wire, request.id)
    assert (shown["return_status"], shown["role"], shown["return_type"]) == (
        PENDING,
        "BUYER",
        "REFUND",
    )
    deadline = wire.clock() + wire.shop.spans.seller_response_seconds
    assert shown["seller_next_action_response"] == [
        {"action": "SELLER_RESPOND_REFUND", "deadline": deadline}
    ]
    assert (await approve(wire, request, "APPROVE_REFUND"))["code"] == 0
    assert (await find_return(wire, request.id))["return_status"] == SUCCESS
    wire.clock.now += wire.shop.spans.payout_seconds
    done = await find_return(wire, request.id)
    assert (done["return_status"], done["seller_next_action_response"]) == (COMPLETE, [])
    assert cents(done["refund_amount"]["refund_total"]) == paid_for(request.order)
    assert (await wire.order(request.order.id))["status"] == "DELIVERED"


async def test_what_is_sent_back_is_inspected_before_the_refund(wire: Wire) -> None:
    request = ask_back(wire)
    assert (await approve(wire, request, "APPROVE_RETURN"))["code"] == 0
    assert (await find_return(wire, request.id))["return_status"] == "AWAITING_BUYER_SHIP"
    wire.shop.send_back(request.id, "RT1")
    shown = await find_return(wire, request.id)
    assert (shown["return_status"], shown["return_tracking_number"]) == (
        "BUYER_SHIPPED_ITEM",
        "RT1",
    )
    assert shown["seller_next_action_response"][0]["action"] == "SELLER_RESPOND_RECEIVE_PACKAGE"
    assert (await approve(wire, request, "APPROVE_RECEIVED_PACKAGE"))["code"] == 0
    assert (await find_return(wire, request.id))["return_status"] == SUCCESS


@pytest.mark.parametrize(
    ("kind", "decision", "status"),
    [("REFUND", "REJECT_REFUND", REJECTED), (BOTH, "REJECT_RETURN", REJECTED)],
)
async def test_a_rejected_request_may_be_made_again(
    wire: Wire, kind: str, decision: str, status: str
) -> None:
    request = ask_refund(wire) if kind == "REFUND" else ask_back(wire)
    assert (await reject(wire, request, decision, comment="No."))["code"] == 0
    assert (await find_return(wire, request.id))["return_status"] == status
    again = wire.shop.request_return(request.order.id, request.reason, return_type=kind)
    assert again.status == PENDING
    records = (await wire.call("GET", RECORDS.format(request.id)))["data"]["records"]
    assert [(record["role"], record["note"]) for record in records] == [
        ("BUYER", ""),
        ("SELLER", "No."),
    ]


async def test_a_parcel_that_came_back_wrong_is_rejected(wire: Wire) -> None:
    request = ask_back(wire)
    wire.shop.approve_return(request.id, "APPROVE_RETURN")
    assert (await reject(wire, request, "REJECT_RECEIVED_PACKAGE"))["code"] == 25001005
    wire.shop.send_back(request.id)
    assert (await reject(wire, request, "REJECT_RECEIVED_PACKAGE"))["code"] == 0
    assert (await find_return(wire, request.id))["return_status"] == "REJECT_RECEIVE_PACKAGE"
    assert refunded_for(request.order) == 0


@pytest.mark.parametrize(
    ("decision", "body"), [("DIRECT_REFUND", {}), ("APPROVE_RETURN", {"buyer_keep_item": True})]
)
async def test_the_buyer_may_keep_the_item(wire: Wire, decision: str, body: dict[str, Any]) -> None:
    request = ask_back(wire)
    assert (await approve(wire, request, decision, **body))["code"] == 0
    shown = await find_return(wire, request.id)
    assert (shown["return_status"], shown["can_buyer_keep_item"]) == (SUCCESS, True)


@pytest.mark.parametrize(
    ("kind", "unfit"),
    [
        ("REFUND", ["APPROVE_RETURN", "APPROVE_RECEIVED_PACKAGE", "DIRECT_REFUND"]),
        (BOTH, ["APPROVE_REFUND", "APPROVE_RECEIVED_PACKAGE", "APPROVE_REPLACEMENT"]),
    ],
)
async def test_a_decision_must_fit_the_request(wire: Wire, kind: str, unfit: list[str]) -> None:
    request = ask_refund(wire) if kind == "REFUND" else ask_back(wire)
    for decision in unfit:
        assert (await approve(wire, request, decision))["code"] == 25001005, decision
    assert (await approve(wire, request, "YES"))["code"] == 36009004
    assert (await reject(wire, request, "REJECT_REPLACEMENT"))["code"] == 25001005
    assert request.status == PENDING


async def test_a_reject_reason_must_be_one_that_was_offered(wire: Wire) -> None:
    request = ask_refund(wire)
    query = {"return_or_cancel_id": request.id}
    reasons = (await wire.call("GET", REJECT_REASONS, query=query))["data"]["reasons"]
    assert UNCLEAR in {reason["name"] for reason in reasons}
    odd = await reject(wire, request, "REJECT_REFUND", reject_reason="because")
    assert odd["code"] == 25001014
    for path in (REJECT_REASONS, DECISIONS):
        unknown = await wire.call("GET", path, query={"return_or_cancel_id": "1"})
        assert unknown["code"] == 25001004
    assert (await wire.call("GET", RECORDS.format("1")))["code"] == 25001004


async def test_which_decisions_fit_is_told(wire: Wire) -> None:
    request = ask_back(wire)
    query = {"return_or_cancel_id": request.id}
    decisions = (await wire.call("GET", DECISIONS, query=query))["data"]["decisions"]
    assert {each["decision"] for each in decisions if each["eligible"]} == {
        "APPROVE_RETURN",
        "DIRECT_REFUND",
        "REJECT_RETURN",
    }
    (rejection,) = [each for each in decisions if each["decision"] == "REJECT_RETURN"]
    assert UNCLEAR in {reason["name"] for reason in rejection["available_reject_reasons"]}


@pytest.mark.parametrize("accept", [True, False])
async def test_a_part_is_offered_and_the_buyer_answers(wire: Wire, accept: bool) -> None:
    request = ask_refund(wire)
    part = {"partial_refund": {"currency": "USD", "amount": "3.50"}}
    assert (await approve(wire, request, "OFFER_PARTIAL_REFUND"))["code"] == 36009004
    assert (await approve(wire, request, "OFFER_PARTIAL_REFUND", **part))["code"] == 0
    shown = await find_return(wire, request.id)
    assert (shown["return_status"], shown["seller_next_action_response"]) == (
        "AWAITING_BUYER_RESPONSE",
        [],
    )
    assert shown["partial_refund"] == {"currency": "USD", "amount": "3.50"}
    body = {"seller_proposed_return_type": ["PARTIAL_REFUND"]}
    assert (await wire.call("POST", SEARCH_RETURNS, json=body))["data"]["total_count"] == 1
    wire.shop.answer_offer(request.id, accept=accept)
    shown = await find_return(wire, request.id)
    if accept:
        assert (shown["return_status"], refunded_for(request.order)) == (SUCCESS, 350)
    else:
        assert (shown["return_status"], shown["buyer_rejected_partial_refund"]) == (PENDING, True)
        second = await approve(wire, request, "OFFER_PARTIAL_REFUND", **part)
        assert second["code"] == 25001005


async def test_a_part_is_offered_for_what_came_back(wire: Wire) -> None:
    decision = "OFFER_PARTIAL_REFUND_AFTER_RECEIVING_PKG"
    request = ask_back(wire)
    wire.shop.approve_return(request.id, "APPROVE_RETURN")
    wire.shop.send_back(request.id)
    part = {"partial_refund_amount": {"partial_refund_total": "2", "currency": "USD"}}
    assert (await reject(wire, request, decision))["code"] == 36009004
    assert (await reject(wire, request, decision, **part))["code"] == 0
    wire.clock.now += wire.shop.spans.buyer_response_seconds
    shown = await find_return(wire, request.id)
    assert (shown["return_status"], shown["buyer_rejected_partial_refund"]) == (
        "BUYER_SHIPPED_ITEM",
        True,
    )


async def test_a_part_is_granted_at_once(wire: Wire) -> None:
    request = ask_refund(wire)
    total = request.worth.total
    for amount, code in (
        (f"{total // 100 + 1}.00", 25005005),
        ("0", 25005005),
        ("1.999", 36009004),
        ("x", 36009004),
        ("1.01", 0),
    ):
        part = {"partial_refund": {"currency": "USD", "amount": amount}}
        assert (await approve(wire, request, "APPROVE_REFUND", **part))["code"] == code, amount
    refund = (await find_return(wire, request.id))["refund_amount"]
    assert refund["refund_total"] == "1.01"
    assert cents(refund["refund_subtotal"]) + cents(refund["refund_tax"]) == 101


async def test_an_amount_in_another_currency_is_refused(wire: Wire) -> None:
    request = ask_refund(wire)
    part = {"partial_refund": {"currency": "EUR", "amount": "1"}}
    assert (await approve(wire, request, "APPROVE_REFUND", **part))["code"] == 36009004


@pytest.mark.parametrize(
    ("kind", "reason"), [("REFUND", DAMAGED_SAYS_SELLER), (BOTH, SENT_BACK_SAYS_SELLER)]
)
async def test_a_seller_asks_in_the_buyers_place(wire: Wire, kind: str, reason: str) -> None:
    """Once, however often: the key gives the first answer again."""
    order = delivered(wire)
    body = {
        "order_id": order.id,
        "return_reason": reason,
        "return_type": kind,
        "order_line_list": [{"order_line_item_id": order.lines[0].id}],
    }
    query = {"idempotency_key": "once"}
    answers = [await wire.call("POST", RETURNS, query=query, json=body) for _ in range(3)]
    (data,) = {tuple(answer["data"].values()) for answer in answers}
    assert data[1] == PENDING
    assert len(wire.shop.returns.by_id) == 1
    shown = await find_return(wire, data[0])
    assert (shown["role"], len(shown["return_line_items"])) == ("SELLER", 1)
    assert (await wire.call("POST", RETURNS, json=body))["code"] == 25001010
    wire.clock.now += wire.shop.spans.seller_response_seconds
    done = "AWAITING_BUYER_SHIP" if kind == BOTH else SUCCESS
    assert (await find_return(wire, data[0]))["return_status"] == done


async def test_a_seller_asks_for_a_part_of_what_it_is_worth(wire: Wire) -> None:
    order = delivered(wire)
    body = {
        "order_id": order.id,
        "return_reason": DAMAGED_SAYS_SELLER,
        "return_type": "REFUND",
        "refund_total": "5000.00",
        "currency": "USD",
    }
    assert (await wire.call("POST", RETURNS, json=body))["code"] == 25005005
    data = (await wire.call("POST", RETURNS, json={**body, "refund_total": "1.5"}))["data"]
    await approve(wire, wire.shop.returns.by_id[data["return_id"]], "APPROVE_REFUND")
    assert refunded_for(order) == 150


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_decision_is_made_once(wire: Wire, key: str | None) -> None:
    request = ask_refund(wire)
    query = {"idempotency_key": key} if key else {}
    codes = [(await approve(wire, request, "APPROVE_REFUND", query=query))["code"] for _ in "ab"]
    assert codes == ([0, 0] if key else [0, 25001005])
    assert refunded_for(request.order) == paid_for(request.order)


def approve_here(wire: Wire, request: Return, decision: str, **more: Any) -> None:
    wire.shop.approve_return(request.id, decision, **more)


def reject_here(wire: Wire, request: Return) -> None:
    wire.shop.reject_return(request.id, "REJECT_RECEIVED_PACKAGE", UNCLEAR)


def let_time_decide(wire: Wire, _: Return) -> None:
    wire.clock.now += wire.shop.spans.seller_response_seconds
    wire.shop.ledger.settle()


def agree_on_a_part(wire: Wire, request: Return) -> None:
    decision = "OFFER_PARTIAL_REFUND_AFTER_RECEIVING_PKG"
    wire.shop.reject_return(request.id, decision, UNCLEAR, amount=100)
    wire.shop.answer_offer(request.id, accept=True)


@pytest.mark.parametrize(
    ("decide", "for_sale"),
    [
        (partial(approve_here, decision="APPROVE_RECEIVED_PACKAGE"), True),
        (partial(approve_here, decision="APPROVE_RECEIVED_PACKAGE", buyer_keeps_item=True), False),
        (partial(approve_here, decision="DIRECT_REFUND"), False),
        (reject_here, False),
        (let_time_decide, True),
        (agree_on_a_part, True),
    ],
)
async def test_what_came_back_is_for_sale_again_unless_the_buyer_keeps_it(
    wire: Wire, decide: Callable[[Wire, Return], None], for_sale: bool
) -> None:
    wire.clock.now += wire.shop.spans.payment_seconds  # no other order changes the stock later on
    request = ask_back(wire)
    line = request.lines[0]
    sku = wire.shop.stock.product(line.sku.product_id).sku(line.sku.id)
    before, units = sku.quantity, sum(each.sku.id == line.sku.id for each in request.lines)
    wire.shop.approve_return(request.id, "APPROVE_RETURN")
    wire.shop.send_back(request.id)
    assert sku.quantity == before
    decide(wire, request)
    assert sku.quantity == before + units * for_sale


async def test_what_was_refunded_is_not_asked_for_again(wire: Wire) -> None:
    request = ask_refund(wire, lines=2)
    wire.shop.approve_return(request.id, "APPROVE_REFUND")
    with refuses(25001001):
        wire.shop.request_return(request.order.id, DAMAGED)
    with refuses(25001011):
        wire.shop.request_return(request.order.id, DAMAGED, [request.lines[0].id])
    assert (await wire.cancel(request.order.id, PAID))["code"] == 25001001


async def test_time_decides_where_nobody_does(wire: Wire) -> None:
    refund, back = ask_refund(wire), ask_back(wire)
    wire.clock.now += wire.shop.spans.seller_response_seconds
    assert (await find_return(wire, refund.id))["return_status"] == SUCCESS
    assert (await find_return(wire, back.id))["return_status"] == "AWAITING_BUYER_SHIP"
    wire.clock.now += wire.shop.spans.buyer_ship_seconds
    assert (await find_return(wire, back.id))["return_status"] == WITHDRAWN
    with refuses(25001005):
        wire.shop.send_back(back.id)
    sent = ask_back(wire)
    wire.shop.approve_return(sent.id, "APPROVE_RETURN")
    wire.shop.send_back(sent.id)
    with refuses(25001005):
        wire.shop.withdraw_return(sent.id)
    wire.clock.now += wire.shop.spans.seller_response_seconds
    assert (await find_return(wire, sent.id))["return_status"] == SUCCESS


async def test_each_step_of_a_return_is_told(wire: Wire) -> None:
    told: list[Any] = []
    order = delivered(wire)
    wire.shop.ledger.on_event = lambda event: told.append((event.type, dict(event.data)))
    request = wire.shop.request_return(order.id, DAMAGED)
    wire.shop.withdraw_return(request.id)
    assert [(kind, data["return_status"]) for kind, data in told] == [
        (12, PENDING),
        (12, WITHDRAWN),
    ]
    assert told[0][1]["return_id"] == request.id


@pytest.mark.parametrize(
    ("status", "types"),
    [
        ("UNPAID", {"CANCEL"}),
        ("ON_HOLD", {"CANCEL"}),
        ("AWAITING_SHIPMENT", {"CANCEL"}),
        ("AWAITING_COLLECTION", {"REFUND"}),
        ("IN_TRANSIT", {"REFUND"}),
        ("DELIVERED", {"REFUND", BOTH}),
        ("COMPLETED", set()),
        ("CANCELLED", set()),
    ],
)
@pytest.mark.parametrize("user", ["BUYER", "SELLER"])
async def test_eligibility_follows_the_status(
    wire: Wire, status: str, types: set[str], user: str
) -> None:
    if (status, user) == ("AWAITING_COLLECTION", "SELLER"):
        types = {*types, "CANCEL"}  # in the US
    order = wire.shop.orders[wire.order_ids(status)[0]]
    lines = await eligibility(wire, order, f"CANCEL,REFUND,{BOTH}", user)
    assert {line["request_type"] for line in lines if line["eligible"]} == types
    for line in lines:
        assert bool(line["available_reason_names"]) == line["eligible"]
        assert ("ineligible_code" in line) == (not line["eligible"])


async def test_without_types_refunds_are_told_of_once_something_was_shipped(wire: Wire) -> None:
    for status, types in (
        ("AWAITING_SHIPMENT", {"CANCEL"}),
        ("IN_TRANSIT", {"CANCEL", "REFUND", BOTH}),
    ):
        path = ELIGIBILITY.format(wire.order_ids(status)[0])
        skus = (await wire.call("GET", path))["data"]["sku_eligibility"]
        assert {line["request_type"] for line in skus[0]["line_item_eligibility"]} == types
    odd = await wire.call("GET", path, query={"request_types": "EXCHANGE"})
    assert odd["code"] == 36009004


async def test_reasons_that_are_told_are_taken(wire: Wire) -> None:
    for order, reason_of in ((delivered(wire), "REFUND"), (delivered(wire), BOTH)):
        for name in (await eligibility(wire, order, reason_of))[0]["available_reason_names"]:
            request = wire.shop.request_return(order.id, name, return_type=reason_of)
            wire.shop.withdraw_return(request.id)
        with refuses(25001021):
            wire.shop.request_return(order.id, NO_NEED, return_type=reason_of)
    on_its_way = order_in(wire, "IN_TRANSIT")
    with refuses(25001021):
        wire.shop.request_return(on_its_way.id, DAMAGED)
    assert wire.shop.request_return(on_its_way.id, LATE).status == PENDING


async def test_a_calculated_refund_is_what_goes_back_and_changes_nothing(wire: Wire) -> None:
    order = delivered(wire, lines=3)
    before = await wire.order(order.id)
    parts = []
    for line in order.lines:
        ids = [{"order_line_item_id": line.id}]
        answer = await calculate(wire, order, DAMAGED, order_line_list=ids)
        parts.append(answer["data"]["order_refund_amount"])
        assert parts[-1]["refund_shipping_fee"] == "0.00"
    whole = (await calculate(wire, order, DAMAGED_SAYS_SELLER))["data"]["order_refund_amount"]
    assert await wire.order(order.id) == before
    assert cents(whole["refund_total"]) == paid_for(order)
    for name in ("refund_subtotal", "refund_tax"):
        assert sum(cents(part[name]) for part in parts) == cents(whole[name])
    assert whole["refund_shipping_fee"] == before["payment"]["shipping_fee"]
    request = wire.shop.request_return(order.id, DAMAGED)
    assert (await find_return(wire, request.id))["refund_amount"] == whole
    assert (await calculate(wire, order, DAMAGED))["code"] == 25001001


async def test_nothing_goes_back_for_what_nobody_paid(wire: Wire) -> None:
    reason = "seller_cancel_unpaid_reason_out_of_stock"
    answer = await calculate(wire, order_in(wire, "UNPAID"), reason, "CANCEL")
    assert answer["data"]["order_refund_amount"]["refund_total"] == "0.00"


@pytest.mark.parametrize(
    ("status", "kind", "reason", "code"),
    [
        ("AWAITING_SHIPMENT", "CANCEL", PAID, 0),
        ("AWAITING_SHIPMENT", "CANCEL", NO_NEED, 0),
        ("AWAITING_SHIPMENT", "CANCEL", DAMAGED, 25001021),
        ("AWAITING_SHIPMENT", "REFUND", DAMAGED, 25001001),
        ("IN_TRANSIT", "REFUND", "because", 25001014),
    ],
)
async def test_only_what_is_possible_is_calculated(
    wire: Wire, status: str, kind: str, reason: str, code: int
) -> None:
    assert (await calculate(wire, order_in(wire, status), reason, kind))["code"] == code


async def test_the_shipping_fee_goes_back_with_the_last_line_item(wire: Wire) -> None:
    """Whether it is cancelled or refunded, and only once."""
    order = order_in(wire, "AWAITING_SHIPMENT", lines=2)
    order.shipping_fee = 599
    await wire.cancel(order.id, order_line_item_ids=[order.lines[0].id])
    wire.shop.ship(order.id)
    wire.shop.collect(order.id)
    wire.shop.deliver(order.id)
    request = wire.shop.request_return(order.id, DAMAGED)
    await approve(wire, request, "APPROVE_REFUND")
    shown = await find_return(wire, request.id)
    assert shown["refund_amount"]["refund_shipping_fee"] == "5.99"
    assert refunded_for(order) == paid_for(order)


async def test_what_was_cancelled_before_payment_is_neither_paid_nor_refunded(wire: Wire) -> None:
    order = order_in(wire, "UNPAID", lines=2)
    reason = "seller_cancel_unpaid_reason_out_of_stock"
    await wire.cancel(order.id, reason, order_line_item_ids=[order.lines[0].id])
    wire.shop.pay(order.id)
    await wire.cancel(order.id, PAID)
    assert order.status == "CANCELLED"
    assert refunded_for(order) == paid_for(order)
    assert paid_for(order) < order.sub_total + order.tax + order.shipping_fee
