"""Statuses of orders: which can follow which, and which follows from the line items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from . import packages
from .orders import LineItem, Order

UNPAID = "UNPAID"
ON_HOLD = "ON_HOLD"
AWAITING_SHIPMENT = "AWAITING_SHIPMENT"
PARTIALLY_SHIPPING = "PARTIALLY_SHIPPING"
AWAITING_COLLECTION = "AWAITING_COLLECTION"
IN_TRANSIT = "IN_TRANSIT"
DELIVERED = "DELIVERED"
COMPLETED = "COMPLETED"
CANCELLED = "CANCELLED"

# Cancelling the line items that are least advanced can skip a status.
NEXT: Mapping[str, Sequence[str]] = {
    UNPAID: (ON_HOLD, CANCELLED),
    ON_HOLD: (AWAITING_SHIPMENT, CANCELLED),
    AWAITING_SHIPMENT: (PARTIALLY_SHIPPING, AWAITING_COLLECTION, CANCELLED),
    PARTIALLY_SHIPPING: (
        AWAITING_SHIPMENT,
        AWAITING_COLLECTION,
        IN_TRANSIT,
        DELIVERED,
        CANCELLED,
    ),
    AWAITING_COLLECTION: (IN_TRANSIT, DELIVERED, CANCELLED),
    IN_TRANSIT: (DELIVERED,),
    DELIVERED: (COMPLETED,),
    COMPLETED: (),
    CANCELLED: (),
}
"""Status -> the statuses that can follow it."""

SHIPPED = (AWAITING_COLLECTION, IN_TRANSIT, DELIVERED, COMPLETED)
TO_SHIP = (AWAITING_SHIPMENT, PARTIALLY_SHIPPING)

_STAGES = {
    packages.PROCESSING: AWAITING_COLLECTION,
    packages.FULFILLING: IN_TRANSIT,
    packages.COMPLETED: DELIVERED,
}


def line_status(line: LineItem, order: Order) -> str:
    """Return the status of a line item, as one of the statuses of orders."""
    if line.cancelled:
        return CANCELLED
    if order.status in (UNPAID, COMPLETED):
        return order.status
    stage = line.package.status if line.package else packages.TO_FULFILL
    return _STAGES.get(stage, AWAITING_SHIPMENT)


def status_now(order: Order) -> str:
    """Return the status that follows from an order's line items: that of the least advanced one."""
    left = {line_status(line, order) for line in order.lines} - {CANCELLED}
    if not left:
        return CANCELLED
    if order.status in (UNPAID, ON_HOLD, COMPLETED):
        return order.status
    if AWAITING_SHIPMENT in left:
        return AWAITING_SHIPMENT if len(left) == 1 else PARTIALLY_SHIPPING
    return next(status for status in SHIPPED if status in left)


def move(order: Order, status: str) -> None:
    """Give an order its next status."""
    assert status in NEXT[order.status], f"{order.status} cannot be followed by {status}"
    order.status = status


def count_by_status(orders: Iterable[Order]) -> dict[str, int]:
    """Return how many orders have each status."""
    return dict(Counter([order.status for order in orders]))
