"""One shop: its orders, its cancellations, and how they change."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable

import attrs

from . import rules
from .events import Event, cancellation_changed, ignore, order_changed
from .orders import PENDING, SELLER_ROLE, SUCCESS, Cancellation, LineItem, Order
from .products import Stock
from .refusals import UNKNOWN_ORDER, Refusal

PENDING_SHARE = 0.05
"""The part of all cancellations that is not decided at once."""
PENDING_SECONDS = 2.0
"""How long an undecided cancellation stays pending before it goes through."""

_FIRST_CANCEL_ID = 4_035_318_504_086_604_100


@attrs.define(eq=False, kw_only=True)
class Shop:
    """A seller's shop; all that its calls read and change, apart from HTTP.

    Nothing here waits: a change is complete before another call can see it. Which cancellations
    stay pending follows from the seed and the order's id, not from the order of the calls.
    """

    id: str
    name: str
    cipher: str = attrs.field(repr=False)
    clock: Callable[[], float] = attrs.field(repr=False)
    region: str = "US"
    code: str = "USLCSANDBOX"
    seller_type: str = "LOCAL"
    currency: str = "USD"
    warehouse_id: str = "7000714532876273001"
    seed: int = 0
    pending_share: float = PENDING_SHARE
    pending_seconds: float = PENDING_SECONDS
    stock: Stock = attrs.field(factory=Stock, init=False, repr=False)
    on_change: Callable[[Event], object] = attrs.field(default=ignore, repr=False)
    """Hears of every change of state right after it; `Webhooks` sends what it hears."""
    _orders: dict[str, Order] = attrs.field(factory=dict, init=False, repr=False)
    _cancellations: dict[str, Cancellation] = attrs.field(factory=dict, init=False, repr=False)
    _undecided: deque[Cancellation] = attrs.field(factory=deque, init=False, repr=False)

    def add_orders(self, orders: Iterable[Order]) -> None:
        """Take orders in, with the cancellations that they already have."""
        for order in orders:
            self._orders[order.id] = order
            for cancellation in order.cancellations:
                self._cancellations[cancellation.id] = cancellation

    @property
    def orders(self) -> dict[str, Order]:
        """All orders by id, as they are now."""
        self.settle()
        return self._orders

    @property
    def cancellations(self) -> dict[str, Cancellation]:
        """All cancellations by id, as they are now, oldest first."""
        self.settle()
        return self._cancellations

    @property
    def times_cancelled(self) -> dict[str, int]:
        """How many cancellations of each line item were processed; more than 1 is a fault."""
        counts = {line.id: 0 for order in self._orders.values() for line in order.lines}
        for cancellation in self.cancellations.values():
            for line in cancellation.lines:
                counts[line.id] += 1
        return counts

    def order(self, order_id: str) -> Order:
        """Return an order as it is now."""
        order = self.orders.get(order_id)
        if order is None:
            raise Refusal(UNKNOWN_ORDER, f"The order {order_id} does not exist in this shop.")
        return order

    def cancel(
        self, order_id: str, reason: str, selection: rules.Selection | None = None
    ) -> Cancellation:
        """Cancel an order or a part of it, as its seller."""
        order = self.order(order_id)
        rules.check_status(order)
        rules.check_reason(reason, order)
        lines = rules.lines_to_cancel(order, selection or rules.Selection())
        return self._record(order, lines, reason)

    def _record(self, order: Order, lines: list[LineItem], reason: str) -> Cancellation:
        now = self.clock()
        cancellation = Cancellation(
            id=str(_FIRST_CANCEL_ID + len(self._cancellations)),
            order=order,
            lines=lines,
            reason=reason,
            role=SELLER_ROLE,
            status=PENDING,
            paid=order.status != "UNPAID",
            create_time=int(now),
            update_time=int(now),
            due=now + self.pending_seconds,
        )
        self._cancellations[cancellation.id] = cancellation
        order.cancellations.append(cancellation)
        order.update_time = int(now)
        for line in lines:
            line.cancellation = cancellation
        if self._stays_pending(order):
            self._undecided.append(cancellation)
            self.on_change(cancellation_changed(cancellation, self.id))
        else:
            self._confirm(cancellation, int(now))
        return cancellation

    def _stays_pending(self, order: Order) -> bool:
        lot = zlib.crc32(f"{self.seed}/{order.id}/{len(order.cancellations)}".encode()) % 10_000
        return lot < self.pending_share * 10_000

    def settle(self) -> None:
        """Let those pending cancellations go through whose time has come."""
        while self._undecided and self._undecided[0].due <= self.clock():
            cancellation = self._undecided.popleft()
            self._confirm(cancellation, int(cancellation.due))

    def _confirm(self, cancellation: Cancellation, now: int) -> None:
        order = cancellation.order
        cancellation.status = SUCCESS
        cancellation.update_time = order.update_time = now
        self.stock.put_back(cancellation.lines)
        self.on_change(cancellation_changed(cancellation, self.id))
        if order.cancelled:
            order.status = "CANCELLED"
            self.on_change(order_changed(order, self.id))
