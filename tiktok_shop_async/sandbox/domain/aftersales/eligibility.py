"""Rules about which parts of an order can be cancelled, returned or refunded.

The rules follow the platform's pages for sellers in the US. Where these are silent, and in the
order of the checks, they are our choice.
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
from ..entities import lifecycle
from ..entities.orders import SELLER_ROLE, LineItem, Order
from ..entities.returns import CANCEL
from .reasons import TEXTS, Reasons, allows_part, valid_reasons


def _line_item_ids(ids: Iterable[str]) -> tuple[str, ...]:
    return parse_texts(ids, "line_item_ids")


@attrs.frozen
class Selection:
    """A selection of an order's line items; an empty one selects all that are left."""

    line_item_ids: Sequence[str] = attrs.field(default=(), converter=_line_item_ids)
    sku_quantities: Mapping[str, int] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.line_item_ids and self.sku_quantities:
            raise invalid("skus and order line items cannot be combined: give one of them.")


def select(lines: Selection | Sequence[str]) -> Selection:
    """Return a selection as it is, or one of the given line item ids."""
    return lines if isinstance(lines, Selection) else Selection(lines)


@attrs.frozen
class Claim:
    """A claim to cancel, refund or return line items of an order, to be checked by the rules."""

    type: str
    role: str
    order: Order
    region: str

    def reasons_for(self, line: LineItem) -> Reasons:
        """Return the valid reasons for a line item, or refuse the claim to it."""
        self.check_status()
        self.check_line(line)
        return self._reasons(line)

    def check_status(self) -> None:
        """Refuse a claim that the order's status does not allow."""
        status = self.order.status
        if status == lifecycle.CANCELLED:
            raise _wrong_status("the order is already cancelled.")
        stages = {lifecycle.line_status(line, self.order) for line in self.order.lines}
        if not any(
            valid_reasons(self.type, self.role, each, self.region) for each in {status, *stages}
        ):
            raise _wrong_status(f"{status} cannot be {_PARTICIPLES[self.type]}.")

    def check_line(self, line: LineItem) -> None:
        """Refuse a line item that has a cancellation or return, or the wrong status."""
        if line.cancellation is not None:
            state = "being cancelled" if line.being_cancelled else "already cancelled"
            raise _wrong_status(f"line item {line.id} is {state}.")
        if line.request is not None:
            granted = line.request.granted
            raise Refusal(
                GRANTED_REQUEST if granted else OPEN_REQUEST,
                f"Line item {line.id} is already part of the return {line.request.id}.",
            )
        if not self._reasons(line):
            status = lifecycle.line_status(line, self.order)
            raise _wrong_status(
                f"line item {line.id} is {status} and cannot be {_PARTICIPLES[self.type]}."
            )

    def choose(self, reason: str, selection: Selection) -> list[LineItem]:
        """Return the selected line items; the reason must be valid for each of them."""
        self.check_status()
        if reason not in TEXTS:
            raise Refusal(UNKNOWN_REASON, "The reason is unknown.")
        self._check_reason(reason, any(reason in self._reasons(line) for line in self.order.lines))
        lines = self._select(selection)
        self._check_reason(reason, all(reason in self._reasons(line) for line in lines))
        self._check_part(reason, lines)
        return lines

    def _check_reason(self, reason: str, valid: bool) -> None:
        if not valid:
            raise Refusal(
                UNFIT_REASON,
                f"The reason {reason} is not valid for the order status {self.order.status}.",
            )

    def _check_part(self, reason: str, lines: Sequence[LineItem]) -> None:
        if (self.type, self.role) != (CANCEL, SELLER_ROLE) or allows_part(reason, self.region):
            return
        if len(lines) < len(self._free()):
            raise Refusal(
                UNFIT_REASON,
                f"A part of an order cannot be cancelled for {reason} in {self.region}: "
                "only if items are out of stock, in the US and the UK.",
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
            raise _wrong_status("no line item is left, or a cancellation or return is open.")
        return free

    def _reasons(self, line: LineItem) -> Reasons:
        status = lifecycle.line_status(line, self.order)
        # An order is on hold or unpaid as a whole.
        if self.type == CANCEL and status == lifecycle.AWAITING_SHIPMENT:
            status = self.order.status
        return valid_reasons(self.type, self.role, status, self.region)

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
                f"The order has {left[sku_id]} of SKU {sku_id} left, not {quantity}.",
            )
    chosen = []
    wanted = Counter(quantities)
    for line in free:
        if wanted[line.sku.id]:
            wanted[line.sku.id] -= 1
            chosen.append(line)
    return chosen
