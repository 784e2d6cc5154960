"""Cancel reasons: from an intent to a name that the service accepts for the order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from ...errors import InvalidArgumentError, TikTokShopError
from ...models.return_refund import LineItemEligibility
from .order_to_cancel import OrderToCancel

if TYPE_CHECKING:
    from ...models.return_refund import AftersaleEligibility


class CancelReason(StrEnum):
    """The intent of a reason, whose name depends on the order's status and region."""

    OUT_OF_STOCK = "out_of_stock"
    WRONG_PRICE = "wrong_price"
    BUYER_REQUESTED = "buyer_requested"
    """Not available in every region."""
    ADDRESS_NOT_DELIVERABLE = "address_not_deliverable"
    """For paid orders; not available in every region."""
    UNPAID = "unpaid"
    """The buyer has not paid in time; for unpaid orders."""
    POTENTIAL_FRAUD = "potential_fraud"
    """Available in Japan only."""


_COMMON_PARTS: Mapping[CancelReason, str] = {
    CancelReason.OUT_OF_STOCK: "out_of_stock",
    CancelReason.WRONG_PRICE: "wrong_price",
    CancelReason.BUYER_REQUESTED: "buyer_requested",
    CancelReason.ADDRESS_NOT_DELIVERABLE: "address_not_deliver",
    CancelReason.UNPAID: "hasnt_paid",
    CancelReason.POTENTIAL_FRAUD: "potential_fraud",
}
"""The part that the names of a reason share in all statuses and regions."""

_UNPAID_REASONS = (
    "seller_cancel_unpaid_reason_out_of_stock",
    "seller_cancel_unpaid_reason_wrong_price",
    "seller_cancel_unpaid_reason_buyer_hasnt_paid_within_time_allowed",
    "seller_cancel_unpaid_reason_buyer_requested_cancellation",
)
_PAID_REASONS = (
    "seller_cancel_reason_out_of_stock",
    "seller_cancel_reason_wrong_price",
    "seller_cancel_paid_reason_address_not_deliver",
    "seller_cancel_paid_reason_buyer_requested_cancellation",
    "seller_cancel_order_reason_potential_fraud",
)
_UK_REASONS = tuple(f"{name}_uk" for name in _PAID_REASONS)


def parse_reason(reason: str) -> str:
    """Return an intent or an exact name; raise `InvalidArgumentError` for anything else."""
    if not isinstance(reason, str):
        raise InvalidArgumentError(f"reason must be text, not {reason!r}.", argument="reason")
    if reason in _INTENTS:
        return CancelReason(reason)
    if "cancel" not in reason or "_" not in reason:
        raise InvalidArgumentError(
            f"reason must be one of {', '.join(CancelReason)}, or the exact name of a reason such "
            f"as {_PAID_REASONS[0]}, not {reason!r}.",
            argument="reason",
        )
    return reason


def is_exact(reason: str) -> bool:
    """Return whether a reason is a name of the service, not an intent."""
    return reason not in _INTENTS


def names_of(intent: str, names: Iterable[str]) -> list[str]:
    """Return those of the names that stand for the intent."""
    part = _COMMON_PARTS[CancelReason(intent)]
    return [name for name in names if part in name]


def documented_reasons(status: str | None) -> Sequence[str]:
    """Return the names in the service's documents, for use if the service returns none."""
    match status:
        case "UNPAID":
            return _UNPAID_REASONS
        case None:
            return (*_PAID_REASONS, *_UNPAID_REASONS, *_UK_REASONS)
    return (*_PAID_REASONS, *_UK_REASONS)


def offered_reasons(eligibility: AftersaleEligibility, target: OrderToCancel) -> list[str]:
    """Return the names that the service accepts for the whole target, in its order.

    If the line items have no name in common, return the names that it accepts for any of them.
    """
    lines = [
        line
        for sku in eligibility.sku_eligibility
        if not target.skus or sku.sku_id in target.skus
        for line in sku.line_item_eligibility
        if line.request_type == "CANCEL" and line.eligible is not False
    ]
    if target.order_line_item_ids:
        lines = [line for line in lines if _ids(line) & set(target.order_line_item_ids)] or lines
    names = list(dict.fromkeys(name for line in lines for name in line.available_reason_names))
    common = [name for name in names if all(name in line.available_reason_names for line in lines)]
    return common or names


def _ids(line: LineItemEligibility) -> set[str]:
    listed = {each.order_line_item_id for each in line.order_line_list if each.order_line_item_id}
    return listed or set(line.order_line_items_ids)


class FetchReasons(Protocol):
    """A function that requests the reasons for an order from the service."""

    async def __call__(self, target: OrderToCancel) -> Sequence[str]:
        """Return their names; an empty sequence if nothing can be cancelled."""
        ...


class Reasons:
    """The reason names for orders of a shop, requested once for each status of an order.

    The names for one order apply to all orders of the shop with the same status.
    """

    def __init__(self, fetch: FetchReasons) -> None:
        self._fetch = fetch
        self._by_status: dict[str | None, Sequence[str]] = {}
        self._unconfirmed: set[str | None] = set()
        """Statuses for which only the documented names are known."""
        self._locks: dict[str | None, asyncio.Lock] = {}

    async def name(self, intent: str, target: OrderToCancel, status: str | None) -> str | None:
        """Return the name of an intent for orders of a status; None without such a name."""
        names = await self.for_status(target, status)
        return next(iter(names_of(intent, names)), None)

    async def for_status(self, target: OrderToCancel, status: str | None) -> Sequence[str]:
        """Return all names for orders of a status, as the service returned them for one order."""
        async with self._locks.setdefault(status, asyncio.Lock()):
            if status not in self._by_status:
                self._unconfirmed.add(status)
                self._by_status[status] = await self.for_order(target, status)
        return self._by_status[status]

    async def for_order(self, target: OrderToCancel, status: str | None) -> Sequence[str]:
        """Return the names for one order, or the documented ones if the service returns none."""
        try:
            names = await self._fetch(target)
        except TikTokShopError:
            names = ()
        if names and status in self._unconfirmed:
            self._unconfirmed.discard(status)
            self._by_status[status] = names
        return names or documented_reasons(status)


_INTENTS = frozenset(str(reason) for reason in CancelReason)
