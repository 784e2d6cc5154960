"""What a shop remembers of its orders, and what time does to them by itself."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable

import attrs

from ...error_responses import UNKNOWN_ORDER, Refusal
from ..events import Event, ignore, order_changed
from . import lifecycle
from .orders import Order

ScheduledAction = Callable[[float], object]
"""Something to be done at a time, which it is told."""


@attrs.define(eq=False, kw_only=True)
class Ledger:
    """The orders of a shop, and an agenda of what is due.

    What is due is done as soon as anybody looks, in the order of the times it was due.
    """

    id: str
    clock: Callable[[], float] = attrs.field(repr=False)
    on_change: Callable[[Event], object] = attrs.field(default=ignore, repr=False)
    """Hears of every change of state right after it; `Webhooks` sends what it hears."""
    on_touch: Callable[[object], object] = attrs.field(default=ignore, repr=False)
    """Hears of everything that is no longer as it was; `StateFile` saves what it hears of."""
    _orders: dict[str, Order] = attrs.field(factory=dict, init=False, repr=False)
    _agenda: list[tuple[float, int, ScheduledAction]] = attrs.field(
        factory=list, init=False, repr=False
    )
    _entries: itertools.count[int] = attrs.field(factory=itertools.count, init=False, repr=False)

    def add_orders(self, orders: Iterable[Order]) -> None:
        """Take orders in, with the packages and cancellations that they already have."""
        for order in orders:
            self._orders[order.id] = order
            self._adopt(order)
            self.on_touch(order)

    @property
    def orders(self) -> dict[str, Order]:
        """All orders by id, as they are now."""
        self.settle()
        return self._orders

    def order(self, order_id: str) -> Order:
        """Return an order as it is now."""
        order = self.orders.get(order_id)
        if order is None:
            raise Refusal(UNKNOWN_ORDER, f"The order {order_id} does not exist in this shop.")
        return order

    def settle(self) -> None:
        """Do what is due."""
        while self._agenda and self._agenda[0][0] <= self.clock():
            due, _, deed = heapq.heappop(self._agenda)
            deed(due)

    def _adopt(self, order: Order) -> None:
        """Make an order that is taken in one of this shop's."""

    def _do_at(self, due: float, deed: ScheduledAction) -> None:
        heapq.heappush(self._agenda, (due, next(self._entries), deed))

    def _move(self, order: Order, status: str, now: float) -> None:
        """Give an order its next status."""
        lifecycle.move(order, status)
        self._touch(order, now)
        self.on_change(order_changed(order, self.id))

    def _refresh(self, order: Order, now: float) -> None:
        """Give an order the status that its line items have brought it to."""
        self._touch(order, now)
        status = lifecycle.status_now(order)
        if status != order.status:
            self._move(order, status, now)

    def _touch(self, order: Order, now: float) -> None:
        """Note that something about an order changed."""
        order.update_time = int(now)
        self.on_touch(order)
