"""Why orders are cancelled: from what is meant to a name that the service takes for the order."""

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
    """What is meant by a reason, whatever its name is for the order's status and region."""

    OUT_OF_STOCK = "out_of_stock"
    WRONG_PRICE = "wrong_price"
    BUYER_REQUESTED = "buyer_requested"
    """Not in every region."""
    ADDRESS_NOT_DELIVERABLE = "address_not_deliverable"
    """Of orders that are paid, and not in every region."""
    UNPAID = "unpaid"
    """The buyer has not paid in time; of orders that are not paid."""
    POTENTIAL_FRAUD = "potential_fraud"
    """In Japan."""


_WORDS: Mapping[CancelReason, str] = {
    CancelReason.OUT_OF_STOCK: "out_of_stock",
    CancelReason.WRONG_PRICE: "wrong_price",
    CancelReason.BUYER_REQUESTED: "buyer_requested",
    CancelReason.ADDRESS_NOT_DELIVERABLE: "address_not_deliver",
    CancelReason.UNPAID: "hasnt_paid",
    CancelReason.POTENTIAL_FRAUD: "potential_fraud",
}
"""What the names of a reason have in common, in all statuses and regions."""

_OF_UNPAID = (
    "seller_cancel_unpaid_reason_out_of_stock",
    "seller_cancel_unpaid_reason_wrong_price",
    "seller_cancel_unpaid_reason_buyer_hasnt_paid_within_time_allowed",
    "seller_cancel_unpaid_reason_buyer_requested_cancellation",
)
_OF_PAID = (
    "seller_cancel_reason_out_of_stock",
    "seller_cancel_reason_wrong_price",
    "seller_cancel_paid_reason_address_not_deliver",
    "seller_cancel_paid_reason_buyer_requested_cancellation",
    "seller_cancel_order_reason_potential_fraud",
)
_IN_UK = tuple(f"{name}_uk" for name in _OF_PAID)


def checked_reason(reason: str) -> str:
    """Return an intent or an exact name; `InvalidArgumentError` for what can be neither."""
    if not isinstance(reason, str):
        raise InvalidArgumentError(f"reason is no text: {reason!r}.", argument="reason")
    if reason in _INTENTS:
        return CancelReason(reason)
    if "cancel" not in reason or "_" not in reason:
        raise InvalidArgumentError(
            f"there is no reason {reason!r}.",
            argument="reason",
            hint=f"Give one of {', '.join(CancelReason)}, or the exact name of a reason such as "
            f"{_OF_PAID[0]}.",
        )
    return reason


def is_exact(reason: str) -> bool:
    """Whether a reason is the service's own name of it."""
    return reason not in _INTENTS


def fitting(intent: str, names: Iterable[str]) -> list[str]:
    """Return the names that mean the intent."""
    words = _WORDS[CancelReason(intent)]
    return [name for name in names if words in name]


def usual_reasons(status: str | None) -> Sequence[str]:
    """Return the names that the service documents, for when it cannot be asked."""
    match status:
        case "UNPAID":
            return _OF_UNPAID
        case None:
            return (*_OF_PAID, *_OF_UNPAID, *_IN_UK)
    return (*_OF_PAID, *_IN_UK)


def offered_reasons(eligibility: AftersaleEligibility, wanted: OrderToCancel) -> list[str]:
    """Return the names that fit all that is to be cancelled, in the service's order.

    Of line items that have none in common, all that fit any are returned.
    """
    lines = [
        line
        for sku in eligibility.sku_eligibility
        if not wanted.skus or sku.sku_id in wanted.skus
        for line in sku.line_item_eligibility
        if line.request_type == "CANCEL" and line.eligible is not False
    ]
    if wanted.order_line_item_ids:
        lines = [line for line in lines if _ids(line) & set(wanted.order_line_item_ids)] or lines
    names = list(dict.fromkeys(name for line in lines for name in line.available_reason_names))
    of_all = [name for name in names if all(name in line.available_reason_names for line in lines)]
    return of_all or names


def _ids(line: LineItemEligibility) -> set[str]:
    listed = {each.order_line_item_id for each in line.order_line_list if each.order_line_item_id}
    return listed or set(line.order_line_items_ids)


class AsksForReasons(Protocol):
    """Asks the service for the reasons of an order."""

    async def __call__(self, wanted: OrderToCancel) -> Sequence[str]:
        """Return their names; none if nothing of it can be cancelled."""
        ...


class Reasons:
    """The names to cancel with, asked for once for each status of an order.

    What the service names for one order of a status fits the others of that shop, too.
    """

    def __init__(self, ask: AsksForReasons) -> None:
        self._ask = ask
        self._of_status: dict[str | None, Sequence[str]] = {}
        self._guessed: set[str | None] = set()
        self._asking: dict[str | None, asyncio.Lock] = {}

    async def name(self, intent: str, wanted: OrderToCancel, status: str | None) -> str | None:
        """Return the name of an intent for an order of a status; None if it has none there."""
        names = await self.of_status(wanted, status)
        return next(iter(fitting(intent, names)), None)

    async def of_status(self, wanted: OrderToCancel, status: str | None) -> Sequence[str]:
        """Return all names for orders of a status, as the service gave them for one of these."""
        async with self._asking.setdefault(status, asyncio.Lock()):
            if status not in self._of_status:
                self._guessed.add(status)
                self._of_status[status] = await self.of_order(wanted, status)
        return self._of_status[status]

    async def of_order(self, wanted: OrderToCancel, status: str | None) -> Sequence[str]:
        """Return the names for this very order, or the usual ones if there is no answer."""
        try:
            names = await self._ask(wanted)
        except TikTokShopError:
            names = ()
        if names and status in self._guessed:
            self._guessed.discard(status)
            self._of_status[status] = names
        return names or usual_reasons(status)


_INTENTS = frozenset(str(reason) for reason in CancelReason)
