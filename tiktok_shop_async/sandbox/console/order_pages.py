"""Pages of orders: a searchable list, and one order with its history and actions."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

import attrs
from starlette.responses import Response

from ..domain.aftersales.reasons import REJECT_CANCELLATION, TEXTS
from ..domain.entities import lifecycle
from ..domain.entities.orders import DROPPED, PENDING, Cancellation, Order
from ..domain.market import Market
from ..domain.shop import Shop
from ..inputs.amounts import format_amount
from ..webhook_sender import Delivery
from .order_actions import BUYER, CARRIER, PLATFORM, SELLER, actions_of
from .pages import Page, clamp
from .rendering import words

PAGE_SIZE = 50
MAX_SELECTED = 1000
"""Up to this number of orders, select the latest; for later pages, sort all."""
_EVENTS = {"ORDER_RETURN": "requested"}
"""Clearer names for events in a return's records."""


def order_list_page(page: Page) -> Response:
    """Return the list, with the orders that changed last first."""
    shop = find_shop(page.state.market, page.query.get("shop", ""))
    if shop is None:
        return page.render("orders", "missing.html", http_status=404, what="shop")
    status, text = page.query.get("status", ""), page.query.get("q", "").strip()
    found = _found(shop.orders, status, text)
    number, pages = clamp(page.number("page"), len(found), PAGE_SIZE)
    return page.render(
        "orders",
        shop=shop,
        statuses=list(lifecycle.NEXT),
        status=status,
        text=text,
        orders=_latest(found, number),
        found=len(found),
        first=(number - 1) * PAGE_SIZE + 1,
        number=number,
        pages=pages,
    )


def order_page(page: Page, shop_id: str, order_id: str) -> Response:
    """Return the page of one order."""
    shop = find_shop(page.state.market, shop_id)
    order = shop.orders.get(order_id) if shop else None
    if shop is None or order is None:
        return page.render("orders", "missing.html", http_status=404, what="order")
    actions = actions_of(order, shop)
    return page.render(
        "orders",
        "order.html",
        shop=shop,
        order=order,
        line_status=lifecycle.line_status,
        reason_texts={**TEXTS, **REJECT_CANCELLATION},
        actors=[BUYER, CARRIER, SELLER, PLATFORM],
        possible=[action for action in actions if not action.blocked],
        impossible=[action for action in actions if action.blocked],
        history=history_of(order),
        deliveries=_deliveries(page.state.webhooks.deliveries, order),
    )


@attrs.frozen
class HistoryEntry:
    """A step in the history of an order."""

    time: int
    text: str
    actor: str = ""


def history_of(order: Order) -> list[HistoryEntry]:
    """Return the history of an order, latest step first."""
    return sorted(_history(order), key=attrgetter("time"), reverse=True)


def _history(order: Order) -> Iterator[HistoryEntry]:
    yield HistoryEntry(order.update_time, f"Last change; the order is {order.status}")
    for request in order.requests:
        for record in reversed(request.records):
            yield HistoryEntry(
                record.create_time,
                f"Return {request.id}: {_EVENTS.get(record.event) or words(record.event)}",
                record.role.capitalize(),
            )
    for cancellation in order.cancellations:
        yield from _history_of_cancellation(cancellation)
    for package in order.packages:
        if package.update_time != package.create_time:
            yield HistoryEntry(
                package.update_time, f"Package {package.id}: {words(package.status)}"
            )
        yield HistoryEntry(package.create_time, f"Package {package.id} created")
    if order.paid_time is not None:
        yield HistoryEntry(order.paid_time, "Order paid", "Buyer")
    yield HistoryEntry(order.create_time, "Order placed", "Buyer")


def _history_of_cancellation(cancellation: Cancellation) -> Iterator[HistoryEntry]:
    role = cancellation.role.capitalize()
    reason = TEXTS.get(cancellation.reason, cancellation.reason)
    if cancellation.status != PENDING:
        ended = "rejected or withdrawn" if cancellation.status == DROPPED else "completed"
        back = (
            f", {format_amount(cancellation.refund.total)} refunded" if cancellation.refund else ""
        )
        yield HistoryEntry(
            cancellation.update_time, f"Cancellation {cancellation.id} {ended}{back}"
        )
    yield HistoryEntry(
        cancellation.create_time, f"Cancellation {cancellation.id} requested: {reason}", role
    )


def find_shop(market: Market, shop_id: str) -> Shop | None:
    """Return the shop of an id; the first shop if the id is empty."""
    return next((shop for shop in market.shops.values() if shop_id in ("", shop.id)), None)


def _found(orders: Mapping[str, Order], status: str, text: str) -> Collection[Order]:
    found: Collection[Order] = orders.values()
    if text:
        found = [order for order_id, order in orders.items() if text in order_id]
    if status:
        found = [order for order in found if order.status == status]
    return found


def _latest(found: Collection[Order], number: int) -> Sequence[Order]:
    """Return a page of the orders, with those that changed last first."""
    # For speed with 100,000 orders, start with the youngest: they are likely to come first.
    youngest_first, end = reversed(list(found)), number * PAGE_SIZE
    changed = attrgetter("update_time")
    if end <= MAX_SELECTED:
        return heapq.nlargest(end, youngest_first, key=changed)[end - PAGE_SIZE :]
    return sorted(youngest_first, key=changed, reverse=True)[end - PAGE_SIZE : end]


def _deliveries(deliveries: Iterable[Delivery], order: Order) -> list[Delivery]:
    """Return the latest webhook deliveries about an order."""
    found = [each for each in deliveries if each.event.data.get("order_id") == order.id]
    return found[:-21:-1]
