"""What may be cancelled, when, and for which reasons: pure rules, no state.

From the platform's pages for sellers in the US, as far as they say. Which check comes first is our
choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from .orders import PENDING, LineItem, Order
from .refusals import (
    UNFIT_REASON,
    UNKNOWN_LINE_ITEM,
    UNKNOWN_REASON,
    WRONG_ORDER_STATUS,
    Refusal,
    invalid,
)

_UNPAID_REASONS: Mapping[str, str] = {
    "seller_cancel_unpaid_reason_out_of_stock": "Out of stock",
    "seller_cancel_unpaid_reason_wrong_price": "Pricing error",
    "seller_cancel_unpaid_reason_buyer_hasnt_paid_within_time_allowed": "Payment not received",
    "seller_cancel_unpaid_reason_buyer_requested_cancellation": "Buyer requested cancellation",
}
_PAID_REASONS: Mapping[str, str] = {
    "seller_cancel_reason_out_of_stock": "Out of stock",
    "seller_cancel_reason_wrong_price": "Pricing error",
    "seller_cancel_paid_reason_address_not_deliver": "Unable to deliver to the buyer's address",
    "seller_cancel_paid_reason_buyer_requested_cancellation": "Buyer requested cancellation",
}
REASON_TEXTS: Mapping[str, str] = {**_UNPAID_REASONS, **_PAID_REASONS}

REASONS_BY_STATUS: Mapping[str, Mapping[str, str]] = {
    "UNPAID": _UNPAID_REASONS,
    "ON_HOLD": _PAID_REASONS,
    "AWAITING_SHIPMENT": _PAID_REASONS,
}
"""Statuses in which a seller may cancel -> the reasons that fit, with their texts."""


@attrs.frozen
class Selection:
    """What of an order to cancel; nothing given means all that is left."""

    line_item_ids: Sequence[str] = ()
    sku_quantities: Mapping[str, int] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.line_item_ids and self.sku_quantities:
            raise invalid("Give skus or order line items, not both.")


def check_status(order: Order) -> None:
    """Refuse an order that is not, or no longer, the seller's to cancel."""
    if order.status == "CANCELLED":
        raise Refusal(WRONG_ORDER_STATUS, "Invalid order status: the order is already cancelled.")
    if order.status not in REASONS_BY_STATUS:
        raise Refusal(
            WRONG_ORDER_STATUS, f"Invalid order status: {order.status} cannot be cancelled."
        )


def check_reason(reason: str, order: Order) -> None:
    """Refuse a reason that nobody knows, or that does not fit the order's status."""
    if reason not in REASON_TEXTS:
        raise Refusal(UNKNOWN_REASON, "The cancel reason is unknown.")
    if reason not in REASONS_BY_STATUS[order.status]:
        raise Refusal(
            UNFIT_REASON, f"The cancel reason does not fit the order status {order.status}."
        )


def check_line(line: LineItem) -> None:
    """Refuse a line item that is in a cancellation already."""
    if line.cancellation is None:
        return
    state = "being cancelled" if line.cancellation.status == PENDING else "already cancelled"
    raise Refusal(WRONG_ORDER_STATUS, f"Invalid order status: line item {line.id} is {state}.")


def lines_to_cancel(order: Order, selection: Selection) -> list[LineItem]:
    """Return the line items that a selection means; each of them can be cancelled."""
    if selection.line_item_ids:
        return _by_id(order, selection.line_item_ids)
    free = [line for line in order.lines if line.cancellation is None]
    if selection.sku_quantities:
        return _by_sku(free, selection.sku_quantities)
    if not free:
        raise Refusal(WRONG_ORDER_STATUS, "Invalid order status: a cancellation is under way.")
    return free


def _by_id(order: Order, ids: Sequence[str]) -> list[LineItem]:
    by_id = {line.id: line for line in order.lines}
    found = []
    for line_id in dict.fromkeys(ids):
        line = by_id.get(line_id)
        if line is None:
            raise Refusal(UNKNOWN_LINE_ITEM, f"The order has no line item {line_id}.")
        check_line(line)
        found.append(line)
    return found


def _by_sku(free: Sequence[LineItem], quantities: Mapping[str, int]) -> list[LineItem]:
    left = Counter(line.sku.id for line in free)
    for sku_id, quantity in quantities.items():
        if quantity < 1:
            raise invalid("The quantity of a SKU must be at least 1.")
        if quantity > left[sku_id]:
            raise Refusal(
                UNKNOWN_LINE_ITEM,
                f"The order has {left[sku_id]} of SKU {sku_id} left to cancel, not {quantity}.",
            )
    chosen = []
    wanted = Counter(quantities)
    for line in free:
        if wanted[line.sku.id]:
            wanted[line.sku.id] -= 1
            chosen.append(line)
    return chosen
