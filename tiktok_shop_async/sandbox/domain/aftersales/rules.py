"""What of an order may be cancelled, returned or refunded: pure rules, no state.

From the platform's pages for sellers in the US, as far as they say. Which check comes first is our
choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from ...._internal.argument_checks import parse_texts
from ...error_responses import (
    GRANTED_REQUEST,
    OPEN_REQUEST,
    UNFIT_REASON,
    UNKNOWN_LINE_ITEM,
    UNKNOWN_REASON,
    WRONG_ORDER_STATUS,
    Refusal,
    invalid,
)
from ..orders import lifecycle
from ..orders.orders import SELLER_ROLE, LineItem, Order
from .reasons import CANCEL, TEXTS, Reasons, fits_a_part, fitting


def _line_item_ids(ids: Iterable[str]) -> tuple[str, ...]:
    return parse_texts(ids, "line_item_ids")


@attrs.frozen
class Selection:
    """Some of an order's line items; nothing given means all that are left."""

    line_item_ids: Sequence[str] = attrs.field(default=(), converter=_line_item_ids)
    sku_quantities: Mapping[str, int] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.line_item_ids and self.sku_quantities:
            raise invalid("Give skus or order line items, not both.")


def select(lines: Selection | Sequence[str]) -> Selection:
    """Return the selection that ids of line items, or nothing, stand for."""
    return lines if isinstance(lines, Selection) else Selection(lines)


@attrs.frozen
class Claim:
    """Somebody's wish to cancel, return or have refunded something of an order."""

    type: str
    role: str
    order: Order
    region: str

    def reasons_for(self, line: LineItem) -> Reasons:
        """Return the reasons that fit a line item; a refusal if it is not to be had."""
        self.check_status()
        self.check_line(line)
        return self._reasons(line)

    def check_status(self) -> None:
        """Refuse what the order's status does not allow at all."""
        status = self.order.status
        if status == lifecycle.CANCELLED:
            raise _wrong_status("the order is already cancelled.")
        stages = {lifecycle.line_status(line, self.order) for line in self.order.lines}
        if not any(fitting(self.type, self.role, each, self.region) for each in {status, *stages}):
            raise _wrong_status(f"{status} cannot be {_PARTICIPLES[self.type]}.")

    def check_line(self, line: LineItem) -> None:
        """Refuse a line item that is spoken for, or whose status does not allow it."""
        if line.cancellation is not None:
            state = "being cancelled" if line.being_cancelled else "already cancelled"
            raise _wrong_status(f"line item {line.id} is {state}.")
        if line.request is not None:
            granted = line.request.granted
            raise Refusal(
                GRANTED_REQUEST if granted else OPEN_REQUEST,
                f"Line item {line.id} is in the return {line.request.id} already.",
            )
        if not self._reasons(line):
            status = lifecycle.line_status(line, self.order)
            raise _wrong_status(
                f"line item {line.id} is {status} and cannot be {_PARTICIPLES[self.type]}."
            )

    def choose(self, reason: str, selection: Selection) -> list[LineItem]:
        """Return the line items that a selection means; each is to be had for the reason."""
        self.check_status()
        if reason not in TEXTS:
            raise Refusal(UNKNOWN_REASON, "The reason is unknown.")
        self._check_reason(reason, any(reason in self._reasons(line) for line in self.order.lines))
        lines = self._select(selection)
        self._check_reason(reason, all(reason in self._reasons(line) for line in lines))
        self._check_part(reason, lines)
        return lines

    def _check_reason(self, reason: str, fits: bool) -> None:
        if not fits:
            raise Refusal(
                UNFIT_REASON,
                f"The reason {reason} is not valid for the order status {self.order.status}.",
            )

    def _check_part(self, reason: str, lines: Sequence[LineItem]) -> None:
        if (self.type, self.role) != (CANCEL, SELLER_ROLE) or fits_a_part(reason, self.region):
            return
        if len(lines) < len(self._free()):
            raise Refusal(
                UNFIT_REASON,
                f"A part of an order cannot be cancelled for {reason} in {self.region}: "
                "only for lack of stock, in the US and the UK.",
            )

    def _free(self) -> list[LineItem]:
        return [line for line in self.order.lines if _passes(self.check_line, line)]

    def _select(self, selection: Selection) -> list[LineItem]:
        if selection.line_item_ids:
            return self._by_id(selection.line_item_ids)
        free = self._free()
        if selection.sku_quantities:
            return _by_sku(free, selection.sku_quantities)
        if not free:
            raise _wrong_status("nothing is left of it, or a cancellation or return is under way.")
        return free

    def _reasons(self, line: LineItem) -> Reasons:
        status = lifecycle.line_status(line, self.order)
        # What is on hold or not paid is so as a whole.
        if self.type == CANCEL and status == lifecycle.AWAITING_SHIPMENT:
            status = self.order.status
        return fitting(self.type, self.role, status, self.region)

    def _by_id(self, ids: Sequence[str]) -> list[LineItem]:
        found = []
        for line_id in dict.fromkeys(ids):
            line = self.order.line(line_id)
            if line is None:
                raise Refusal(UNKNOWN_LINE_ITEM, f"The order has no line item {line_id}.")
            self.check_line(line)
            found.append(line)
        return found


_PARTICIPLES = {
    "CANCEL": "cancelled",
    "REFUND": "refunded",
    "RETURN_AND_REFUND": "returned",
}


def _wrong_status(words: str) -> Refusal:
    return Refusal(WRONG_ORDER_STATUS, f"Invalid order status: {words}")


def _passes(check: Callable[[LineItem], None], line: LineItem) -> bool:
    try:
        check(line)
    except Refusal:
        return False
    return True


def _by_sku(free: Sequence[LineItem], quantities: Mapping[str, int]) -> list[LineItem]:
    left = Counter(line.sku.id for line in free)
    for sku_id, quantity in quantities.items():
        if quantity < 1:
            raise invalid("The quantity of a SKU must be at least 1.")
        if quantity > left[sku_id]:
            raise Refusal(
                UNKNOWN_LINE_ITEM,
                f"The order has {left[sku_id]} of SKU {sku_id} left for this, not {quantity}.",
            )
    chosen = []
    wanted = Counter(quantities)
    for line in free:
        if wanted[line.sku.id]:
            wanted[line.sku.id] -= 1
            chosen.append(line)
    return chosen
