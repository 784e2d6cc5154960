"""The orders of a shop, and a schedule of actions on them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

import attrs

from ...._internal.clock import Clock
from ...error_responses import UNKNOWN_ORDER, Refusal
from ..entities import lifecycle
from ..entities.orders import Order
from ..shop_events import Event, ignore, order_changed

ScheduledAction = Callable[[float], object]
"""An action to run at a time, called with the time when it was due."""


@attrs.define(eq=False, kw_only=True)
class Ledger:
    """The orders of a shop, and its schedule.

    Scheduled actions run in the order of their due times, as soon as the orders are read after
    that.
    """

    shop_id: str
    clock: Clock = attrs.field(repr=False)
    on_event: Callable[[Event], object] = attrs.field(default=ignore, repr=False)
    """Called with the event of every change of status; `Webhooks` delivers the events."""
    on_modified: Callable[[object], object] = attrs.field(default=ignore, repr=False)
    """Called with every modified order and new reply; `StateFile` saves them."""
    _orders: dict[str, Order] = attrs.field(factory=dict, init=False, repr=False)
    _schedule: list[tuple[float, int, ScheduledAction]] = attrs.field(
        factory=list, init=False, repr=False
    )
    _numbers: itertools.count[int] = attrs.field(factory=itertools.count, init=False, repr=False)

    @property
    def orders(self) -> dict[str, Order]:
        """All orders by id, in their current state."""
        self.settle()
        return self._orders

    def order(self, order_id: str) -> Order:
        """Return an order in its current state."""
        order = self.orders.get(order_id)
        if order is None:
            raise Refusal(UNKNOWN_ORDER, f"The order {order_id} does not exist in this shop.")
        return order

    def add(self, order: Order) -> None:
        """Add an order."""
        self._orders[order.id] = order

    def now(self) -> float:
        """Return the current time in Unix seconds."""
        return self.clock.time()

    def settle(self) -> None:
        """Run all actions that are due."""
        while self._schedule and self._schedule[0][0] <= self.clock.time():
            due, _, action = heapq.heappop(self._schedule)
            action(due)

    def schedule(self, due: float, action: ScheduledAction) -> None:
        """Run an action at a time in Unix seconds."""
        heapq.heappush(self._schedule, (due, next(self._numbers), action))

    def move(self, order: Order, status: str, now: float) -> None:
        """Give an order its next status, and emit the event."""
        lifecycle.move(order, status)
        self.mark_modified(order, now)
        self.on_event(order_changed(order, self.shop_id))

    def update_status(self, order: Order, now: float) -> None:
        """Give an order the status that follows from its line items."""
        self.mark_modified(order, now)
        status = lifecycle.status_now(order)
        if status != order.status:
            self.move(order, status, now)

    def mark_modified(self, order: Order, now: float) -> None:
        """Set an order's update time and report the modification."""
        order.update_time = int(now)
        self.on_modified(order)
