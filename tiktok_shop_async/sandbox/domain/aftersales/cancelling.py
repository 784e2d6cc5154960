"""How orders are cancelled: by the seller, by the buyer with or without a decision, and by time."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import partial

import attrs

from ...error_responses import UNKNOWN_REASON, UNKNOWN_REQUEST, WRONG_REQUEST_STATUS, Refusal
from ..events import cancellation_changed
from ..orders import lifecycle, packages
from ..orders.fulfilling import Fulfilling
from ..orders.orders import (
    BUYER_ROLE,
    DROPPED,
    PENDING,
    SELLER_ROLE,
    SUCCESS,
    SYSTEM_ROLE,
    Cancellation,
    LineItem,
    Order,
)
from ..orders.products import Stock
from .reasons import CANCEL, REJECT_CANCELLATION, UNPAID_TOO_LONG
from .refunds import refund_of
from .rules import Claim, Selection, select

PENDING_SHARE = 0.05
"""The part of all cancellations by the seller that is not decided at once."""

_FIRST_CANCEL_ID = 4_035_318_504_086_604_100


@attrs.define(eq=False, kw_only=True)
class Cancelling(Fulfilling):
    """A shop whose orders can be cancelled, in whole or in part."""

    region: str = "US"
    seed: int = 0
    pending_share: float = PENDING_SHARE
    stock: Stock = attrs.field(factory=Stock, init=False, repr=False)
    _cancellations: dict[str, Cancellation] = attrs.field(factory=dict, init=False, repr=False)

    @property
    def cancellations(self) -> dict[str, Cancellation]:
        """All cancellations by id, as they are now."""
        self.settle()
        return self._cancellations

    @property
    def times_cancelled(self) -> dict[str, int]:
        """How many cancellations of each line item were processed; more than 1 is a fault."""
        counts = {line.id: 0 for order in self._orders.values() for line in order.lines}
        for cancellation in self.cancellations.values():
            if cancellation.status != DROPPED:
                for line in cancellation.lines:
                    counts[line.id] += 1
        return counts

    def cancellation(self, cancel_id: str) -> Cancellation:
        """Return a cancellation as it is now."""
        cancellation = self.cancellations.get(cancel_id)
        if cancellation is None:
            raise Refusal(
                UNKNOWN_REQUEST, f"The cancellation {cancel_id} does not exist in this shop."
            )
        return cancellation

    def claim(self, request_type: str, role: str, order_id: str) -> Claim:
        """Return what somebody may want of an order, as the rules see it."""
        return Claim(request_type, role, self.order(order_id), self.region)

    def cancel(
        self, order_id: str, reason: str, selection: Selection | None = None
    ) -> Cancellation:
        """Cancel an order or a part of it, as its seller."""
        cancellation = self._record(order_id, SELLER_ROLE, reason, selection or Selection())
        if self._stays_pending(cancellation.order):
            self._leave_pending(cancellation, self.spans.pending_seconds)
        else:
            self._confirm(cancellation, self.clock())
        return cancellation

    def request_cancellation(
        self, order_id: str, reason: str, lines: Selection | Sequence[str] = ()
    ) -> Cancellation:
        """Cancel as the buyer; once the order is firm, the seller has to approve.

        Our choice: before that, while it is unpaid or on hold, it goes through at once.
        """
        cancellation = self._record(order_id, BUYER_ROLE, reason, select(lines))
        cancellation.needs_decision = cancellation.order.status not in (
            lifecycle.UNPAID,
            lifecycle.ON_HOLD,
        )
        if cancellation.needs_decision:
            self._leave_pending(cancellation, self.spans.seller_response_seconds)
        else:
            self._confirm(cancellation, self.clock())
        return cancellation

    def approve_cancellation(self, cancel_id: str) -> Cancellation:
        """Let a buyer's request go through, as the seller."""
        cancellation = self._awaiting_seller(cancel_id)
        self._confirm(cancellation, self.clock())
        return cancellation

    def reject_cancellation(self, cancel_id: str, reason: str) -> Cancellation:
        """Refuse a buyer's request, as the seller."""
        cancellation = self._awaiting_seller(cancel_id)
        if reason not in REJECT_CANCELLATION:
            raise Refusal(UNKNOWN_REASON, "The reject reason is unknown.")
        self._drop(cancellation)
        return cancellation

    def withdraw_cancellation(self, cancel_id: str) -> Cancellation:
        """Have the buyer take the request back before the seller decides."""
        cancellation = self._awaiting_seller(cancel_id)
        self._drop(cancellation)
        return cancellation

    def _adopt(self, order: Order) -> None:
        super()._adopt(order)
        for cancellation in order.cancellations:
            self._cancellations[cancellation.id] = cancellation
            if cancellation.status == PENDING:
                self._do_at(cancellation.due, partial(self._fall_due, cancellation))
        if order.status == lifecycle.UNPAID:
            self._do_at(
                order.create_time + self.spans.payment_seconds, partial(self._give_up, order)
            )

    def _give_up(self, order: Order, due: float) -> None:
        """Cancel an order that nobody paid for."""
        lines = [line for line in order.lines if line.cancellation is None]
        if order.status == lifecycle.UNPAID and lines:
            self._confirm(self._add(order, lines, SYSTEM_ROLE, UNPAID_TOO_LONG, due), due)

    def _awaiting_seller(self, cancel_id: str) -> Cancellation:
        cancellation = self.cancellation(cancel_id)
        if not cancellation.awaits_seller:
            raise Refusal(
                WRONG_REQUEST_STATUS, f"The cancellation {cancel_id} awaits no decision of yours."
            )
        return cancellation

    def _record(self, order_id: str, role: str, reason: str, selection: Selection) -> Cancellation:
        claim = self.claim(CANCEL, role, order_id)
        lines = claim.choose(reason, selection)
        return self._add(claim.order, lines, role, reason, self.clock())

    def _add(
        self, order: Order, lines: list[LineItem], role: str, reason: str, now: float
    ) -> Cancellation:
        cancellation = Cancellation(
            id=str(_FIRST_CANCEL_ID + len(self._cancellations)),
            order=order,
            lines=lines,
            reason=reason,
            role=role,
            status=PENDING,
            create_time=int(now),
            update_time=int(now),
        )
        self._cancellations[cancellation.id] = cancellation
        order.cancellations.append(cancellation)
        self._touch(order, now)
        for line in lines:
            line.cancellation = cancellation
        return cancellation

    def _stays_pending(self, order: Order) -> bool:
        lot = zlib.crc32(f"{self.seed}/{order.id}/{len(order.cancellations)}".encode()) % 10_000
        return lot < self.pending_share * 10_000

    def _leave_pending(self, cancellation: Cancellation, seconds: float) -> None:
        cancellation.due = self.clock() + seconds
        self._do_at(cancellation.due, partial(self._fall_due, cancellation))
        self.on_change(cancellation_changed(cancellation, self.id))

    def _fall_due(self, cancellation: Cancellation, due: float) -> None:
        if cancellation.status == PENDING:
            self._confirm(cancellation, due)

    def _confirm(self, cancellation: Cancellation, now: float) -> None:
        """Let a cancellation go through: the one place where line items become cancelled."""
        order = cancellation.order
        if order.paid_time is not None:
            cancellation.refund = refund_of(order, cancellation.lines)
        for line in cancellation.lines:
            line.paid = order.paid_time is not None
        cancellation.status, cancellation.update_time = SUCCESS, int(now)
        for package in order.packages:
            if not package.left and package.status != packages.CANCELLED:
                package.move_to(packages.CANCELLED, int(now))
        self.stock.put_back(cancellation.lines)
        self.on_change(cancellation_changed(cancellation, self.id))
        self._refresh(order, now)

    def _drop(self, cancellation: Cancellation) -> None:
        now = self.clock()
        cancellation.status, cancellation.update_time = DROPPED, int(now)
        self._touch(cancellation.order, now)
        for line in cancellation.lines:
            line.cancellation = None
        self.on_change(cancellation_changed(cancellation, self.id))
