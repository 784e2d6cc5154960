"""The console's pages of orders, and the actions of buyer, carrier and seller on them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sandbox.console import CONSOLE, Console, form_of, labels, notice, text_of
from sandbox.wire import PAID, Wire, new_wire

from tiktok_shop_async.sandbox.console.order_actions import actions_of
from tiktok_shop_async.sandbox.domain.entities.orders import Order


@pytest.fixture
def wire(console_wire: Wire) -> Wire:
    return console_wire


async def test_orders_are_listed_searched_and_paged(wire: Wire, console: Console) -> None:
    def ids(page: str) -> list[str]:
        return [order_id for order_id in wire.shop.orders if f'data-order="{order_id}"' in page]

    wire.clock.now += 60
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    first = await console.page("/console/orders")
    assert len(ids(first)) == 50
    assert f'data-order="{order_id}"' in first
    seen = [
        each
        for number in (1, 2, 3, 4)
        for each in ids(await console.page(f"/console/orders?page={number}"))
    ]
    assert sorted(seen) == sorted(wire.shop.orders)
    assert "Page 4 of 4" in await console.page("/console/orders?page=99")
    unpaid = ids(await console.page("/console/orders?status=UNPAID"))
    assert sorted(unpaid) == sorted(wire.order_ids("UNPAID"))
    assert ids(await console.page(f"/console/orders?q={order_id[5:]}")) == [order_id]
    assert "No order in Sandbox Goods matches" in await console.page("/console/orders?q=none")
    _, second = wire.market.shops.values()
    assert second.name in await console.page(f"/console/orders?shop={second.id}&q=1")
    assert (await console.get("/console/orders?shop=none")).status_code == 404


async def test_an_unknown_order_is_not_found(wire: Wire, console: Console) -> None:
    order_id = next(iter(wire.shop.orders))
    for path in (
        console.order_path("1"),
        f"/console/orders/1/{order_id}",
        console.order_path("%ff"),
    ):
        assert (await console.get(path)).status_code == 404
        sent = await wire.http.post(CONSOLE + path, data={"action": "pay"})
        assert sent.status_code == 404


async def test_an_order_lives_its_whole_life_by_its_buttons(wire: Wire, console: Console) -> None:
    order = wire.shop.orders[wire.order_ids("UNPAID")[0]]
    path = console.order_path(order.id)
    assert notice(await console.submit(path, "Pay")) == ("done", "The order is ON_HOLD.")
    wire.clock.now += 3600
    for label, status in (
        ("Ship", "AWAITING_COLLECTION"),
        ("Hand over to carrier", "IN_TRANSIT"),
        ("Deliver", "DELIVERED"),
    ):
        assert notice(await console.submit(path, label))[0] == "done"
        assert order.status == status
    page = await console.submit(path, "Request return and refund")
    (request,) = order.requests
    assert notice(page) == ("done", f"Return {request.id}: Return or refund request pending.")
    await console.submit(path, "Approve return")
    await console.submit(path, "Send back")
    assert request.status == "BUYER_SHIPPED_ITEM"
    await console.submit(path, "Offer partial refund after receiving pkg", amount="1.5")
    assert request.offer == 150
    page = await console.submit(path, "Decline offer of 1.50")
    assert labels(page)
    await console.submit(path, "Approve received package")
    assert request.granted
    page = await console.submit(path, "Complete")
    assert order.status == "COMPLETED"
    assert labels(page) == []
    page = text_of(page)
    assert "No action is possible on this order any more" in page
    for step in (
        "Order placed",
        "Order paid",
        "Package",
        f"Return {request.id}: requested by Buyer",
    ):
        assert step in page


async def test_buyers_cancel_and_sellers_decide(wire: Wire, console: Console) -> None:
    order = wire.shop.orders[wire.order_ids("AWAITING_SHIPMENT", lines=2)[0]]
    path = console.order_path(order.id)
    await console.submit(path, "Request cancellation", line=[order.lines[0].id])
    assert [line.being_cancelled for line in order.lines[:2]] == [True, False]
    page = text_of(await console.page(path))
    assert "frozen" in page
    assert "The package is frozen: a cancellation is pending." in page
    await console.submit(path, "Withdraw cancellation request")
    await console.submit(path, "Request cancellation")
    await console.submit(path, "Reject cancellation")
    await console.submit(path, "Request cancellation")
    page = await console.submit(path, "Approve cancellation")
    assert order.status == "CANCELLED"
    assert [each.status[21:] for each in order.cancellations] == ["CANCEL", "CANCEL", "SUCCESS"]
    assert "refunded" in text_of(page)


async def test_what_is_offered_succeeds_and_what_is_not_is_refused(
    wire: Wire, console: Console
) -> None:
    """For orders in every state, also with requests under way; the pages name the reason."""
    orders = list(wire.shop.orders.values())
    chosen = {order.status: order for order in orders if len(order.lines) > 1}.values()
    first = [action.name for order in chosen for action in actions_of(order, wire.shop)]
    assert len(set(first)) >= 9
    for order in chosen:
        refused = [a for a in actions_of(order, wire.shop) if a.blocked]
        shown = text_of(await console.page(console.order_path(order.id)))
        for action in refused:
            assert f"{action.actor}: {action.label} {action.blocked}" in shown
            subject = action.subject or (order.packages[-1].id if order.packages else "1")
            before = _state(order)
            page = await console.send(
                console.order_path(order.id),
                action=action.name,
                subject=subject,
                reason=next(iter(action.reasons), PAID),
                line=[line.id for line in order.lines],
                target=action.element_id,
            )
            assert notice(page)[0] == "failed"
            assert _state(order) == before
    for name in dict.fromkeys(first):
        await _offered_actions_succeed(new_wire(pending_share=0.0), name)


async def _offered_actions_succeed(wire: Wire, name: str) -> None:
    async with wire.http:
        console = Console(wire)
        for order in {order.status: order for order in wire.shop.orders.values()}.values():
            for action in actions_of(order, wire.shop):
                if action.name == name and not action.blocked:
                    page = await console.submit(console.order_path(order.id), action.label)
                    assert notice(page)[0] == "done", (order.status, action, notice(page))


def _state(order: Order) -> object:
    return order.status, order.update_time, len(order.cancellations), len(order.requests)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"action": "explode"}, "The action 'explode' is unknown"),
        ({"action": "cancel", "line": []}, "Reason is required"),
        ({"action": "cancel", "reason": PAID, "line": []}, "Select at least one item"),
        ({"action": "cancel", "reason": "none", "line": ["1"]}, "reason is unknown"),
        ({"action": "cancel", "reason": PAID, "line": ["1"]}, "has no line item 1"),
        ({"action": "ship", "subject": "1"}, "The order has no package, cancellation or return"),
        ({}, "Action is required"),
    ],
)
async def test_wrong_input_to_an_order_changes_nothing(
    wire: Wire, console: Console, fields: dict[str, Any], message: str
) -> None:
    order = wire.shop.orders[wire.order_ids("AWAITING_SHIPMENT", lines=2)[0]]
    before = _state(order)
    page = await console.send(console.order_path(order.id), target="cancel", **fields)
    kind, text = notice(page)
    assert (kind, message in text) == ("failed", True), text
    assert _state(order) == before


async def test_an_offer_needs_an_amount_that_was_paid(wire: Wire, console: Console) -> None:
    order = wire.shop.orders[wire.order_ids("DELIVERED")[0]]
    request = wire.shop.request_return(order.id, "ecom_order_delivered_refund_reason_damaged")
    for amount in ("", "-1", "1.234", "nan", "1e3", "9" * 5000, "999999.99", "0"):
        page = await console.submit(
            console.order_path(order.id), "Offer partial refund", amount=amount
        )
        assert notice(page)[0] == "failed"
        assert request.offer is None
    assert "0" in form_of(page, "Offer partial refund")


async def test_the_pages_of_a_large_shop_are_short() -> None:
    """A page of a list has as many rows as a page, however many orders there are."""
    wire = new_wire(orders=2_000)
    async with wire.http:
        for number in (1, 20, 40):
            page = await Console(wire).page(f"/console/orders?page={number}")
            assert page.count("data-order=") == 50
            assert len(page) < 60_000
        seen = await asyncio.gather(
            *(Console(wire).page(f"/console/orders?page={n}") for n in (20, 21))
        )
        first, second = ({part[:18] for part in page.split('data-order="')[1:]} for page in seen)
        assert not first & second
