"""Choice of the line items of an order to cancel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING

import attrs

from .order_to_cancel import OrderToCancel
from .resolution import CANCELLED_STATUSES, HANDED_OVER, line_ids, state_of

if TYPE_CHECKING:
    from ...models.order import Order
    from ...models.return_refund import Cancellation

_NOT_CANCELLABLE = CANCELLED_STATUSES | HANDED_OVER


def is_cancelled(order: Order, target: OrderToCancel) -> bool:
    """Return whether the whole target is cancelled; for SKUs, whether the whole order is."""
    if order.status in CANCELLED_STATUSES:
        return True
    lines = target.order_line_item_ids
    cancelled = {line.id for line in order.line_items if line.display_status in CANCELLED_STATUSES}
    return bool(lines) and cancelled.issuperset(lines)


def with_line_items(
    target: OrderToCancel, order: Order, cancellations: Iterable[Cancellation], chosen: Set[str]
) -> OrderToCancel:
    """Return ``target`` with line items in place of its SKUs, chosen in a stable order.

    Line items in ``chosen``, which another part uses, are left out. If too few remain, ``target``
    is returned unchanged, and the service rejects it.
    """
    unavailable = set(chosen).union(
        *(line_ids(each) for each in cancellations if state_of(each) != "dropped")
    )
    line_items: list[str] = []
    for sku, count in target.skus.items():
        available = _available(order, sku, unavailable)
        if len(available) < count:
            return target
        line_items += available[:count]
    return attrs.evolve(target, order_line_item_ids=line_items, skus=None)


def _available(order: Order, sku: str, unavailable: Set[str]) -> Sequence[str]:
    return sorted(
        line.id
        for line in order.line_items
        if line.id
        and line.id not in unavailable
        and line.sku_id == sku
        and line.display_status not in _NOT_CANCELLABLE
    )
