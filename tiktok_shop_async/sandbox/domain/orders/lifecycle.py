"""The life of an order: which status may follow which, and which one its line items give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

# That a status is skipped comes from cancelling the line items that held the order back.
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
"""Status -> those that may follow; of the last two, none."""

SHIPPED = (AWAITING_COLLECTION, IN_TRANSIT, DELIVERED, COMPLETED)
TO_SHIP = (AWAITING_SHIPMENT, PARTIALLY_SHIPPING)

_STAGES = {
    packages.PROCESSING: AWAITING_COLLECTION,
    packages.FULFILLING: IN_TRANSIT,
    packages.COMPLETED: DELIVERED,
}


def line_status(line: LineItem, order: Order) -> str:
    """Return how far a line item is, in the words of an order's status."""
    if line.cancelled:
        return CANCELLED
    if order.status in (UNPAID, COMPLETED):
        return order.status
    stage = line.package.status if line.package else packages.TO_FULFILL
    return _STAGES.get(stage, AWAITING_SHIPMENT)


def status_now(order: Order) -> str:
    """Return the status that an order's line items give it: that of the one least far."""
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
    assert status in NEXT[order.status], f"{order.status} is never followed by {status}"
    order.status = status
