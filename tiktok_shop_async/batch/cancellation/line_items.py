"""The line items of an order that are to be cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING

import attrs

from .order_to_cancel import OrderToCancel
from .resolution import CANCELLED_STATUSES, HANDED_OVER, line_ids, state_of

if TYPE_CHECKING:
    from ...models.order import Order
    from ...models.return_refund import Cancellation

_GONE = CANCELLED_STATUSES | HANDED_OVER


def is_cancelled(order: Order, wanted: OrderToCancel) -> bool:
    """Tell whether nothing is left to cancel; of SKUs that is so only if nothing is left at all."""
    if order.status in CANCELLED_STATUSES:
        return True
    lines = wanted.order_line_item_ids
    cancelled = {line.id for line in order.line_items if line.display_status in CANCELLED_STATUSES}
    return bool(lines) and cancelled.issuperset(lines)


def with_line_items(
    wanted: OrderToCancel, order: Order, cancellations: Iterable[Cancellation], taken: Set[str]
) -> OrderToCancel:
    """Return ``wanted`` with line items for its SKUs: the same ones as long as they are there.

    None of those in ``taken``. If there are too few, it is left for the service to refuse.
    """
    gone = set(taken).union(
        *(line_ids(each) for each in cancellations if state_of(each) != "dropped")
    )
    chosen: list[str] = []
    for sku, count in wanted.skus.items():
        free = _free(order, sku, gone)
        if len(free) < count:
            return wanted
        chosen += free[:count]
    return attrs.evolve(wanted, order_line_item_ids=chosen, skus=None)


def _free(order: Order, sku: str, gone: Set[str]) -> Sequence[str]:
    return sorted(
        line.id
        for line in order.line_items
        if line.id
        and line.id not in gone
        and line.sku_id == sku
        and line.display_status not in _GONE
    )
