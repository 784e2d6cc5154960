"""Cancellations by the seller, by the buyer with or without approval, and by the system."""

from __future__ import annotations

import zlib
from functools import partial

import attrs

from ...error_responses import UNKNOWN_REASON, UNKNOWN_REQUEST, WRONG_REQUEST_STATUS, Refusal
from ..entities import lifecycle, packages
from ..entities.orders import (
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
from ..entities.refunds import refund_of
from ..entities.returns import CANCEL
from ..orders.ledger import Ledger
from ..orders.shop_settings import ShopSettings
from ..orders.stock import Stock
from ..shop_events import cancellation_changed
from .eligibility import Claim, Selection
from .reasons import REJECT_CANCELLATION, UNPAID_TOO_LONG

_FIRST_CANCEL_ID = 4_035_318_504_086_604_100


@attrs.frozen(eq=False)
class Cancellations:
    """The cancellations of a shop, and how they are requested, decided and confirmed."""

    _ledger: Ledger
    _settings: ShopSettings
    _stock: Stock
    _by_id: dict[str, Cancellation] = attrs.field(factory=dict, init=False, repr=False)

    @property
    def by_id(self) -> dict[str, Cancellation]:
        """All cancellations by id, in their current state."""
        self._ledger.settle()
        return self._by_id

    def times_cancelled(self) -> dict[str, int]:
        """Return how many cancellations of each line item were processed, by line item id."""
        counts = {line.id: 0 for order in self._ledger.orders.values() for line in order.lines}
        for cancellation in self._by_id.values():
            if cancellation.status != DROPPED:
                for line in cancellation.lines:
                    counts[line.id] += 1
        return counts

    def get(self, cancel_id: str) -> Cancellation:
        """Return a cancellation in its current state."""
        cancellation = self.by_id.get(cancel_id)
        if cancellation is None:
            raise Refusal(
                UNKNOWN_REQUEST, f"The cancellation {cancel_id} does not exist in this shop."
            )
        return cancellation

    def cancel(self, order_id: str, reason: str, selection: Selection) -> Cancellation:
        """Cancel an order or a part of it, as its seller."""
        cancellation = self._create(order_id, SELLER_ROLE, reason, selection)
        if self._stays_pending(cancellation.order):
            self._leave_pending(cancellation, self._settings.spans.pending_seconds)
        else:
            self._confirm(cancellation, self._ledger.now())
        return cancellation

    def request(self, order_id: str, reason: str, selection: Selection) -> Cancellation:
        """Cancel as the buyer; unless the order is unpaid or on hold, the seller must approve.

        Our choice: an unpaid order and one on hold are cancelled at once.
        """
        cancellation = self._create(order_id, BUYER_ROLE, reason, selection)
        cancellation.needs_decision = cancellation.order.status not in (
            lifecycle.UNPAID,
            lifecycle.ON_HOLD,
        )
        if cancellation.needs_decision:
            self._leave_pending(cancellation, self._settings.spans.seller_response_seconds)
        else:
            self._confirm(cancellation, self._ledger.now())
        return cancellation

    def approve(self, cancel_id: str) -> Cancellation:
        """Approve a buyer's request, as the seller."""
        cancellation = self._undecided(cancel_id)
        self._confirm(cancellation, self._ledger.now())
        return cancellation

    def reject(self, cancel_id: str, reason: str) -> Cancellation:
        """Reject a buyer's request, as the seller."""
        cancellation = self._undecided(cancel_id)
        if reason not in REJECT_CANCELLATION:
            raise Refusal(UNKNOWN_REASON, "The reject reason is unknown.")
        self._drop(cancellation)
        return cancellation

    def withdraw(self, cancel_id: str) -> Cancellation:
        """Withdraw a request as the buyer, before the seller decides."""
        cancellation = self._undecided(cancel_id)
        self._drop(cancellation)
        return cancellation

    def register(self, order: Order) -> None:
        """Register a new order's cancellations, and schedule what happens to them automatically."""
        for cancellation in order.cancellations:
            self._by_id[cancellation.id] = cancellation
            if cancellation.status == PENDING:
                self._ledger.schedule(cancellation.due, partial(self._confirm_due, cancellation))
        if order.status == lifecycle.UNPAID:
            due = order.create_time + self._settings.spans.payment_seconds
            self._ledger.schedule(due, partial(self._cancel_unpaid, order))

    def _cancel_unpaid(self, order: Order, due: float) -> None:
        lines = [line for line in order.lines if line.cancellation is None]
        if order.status == lifecycle.UNPAID and lines:
            self._confirm(self._add(order, lines, SYSTEM_ROLE, UNPAID_TOO_LONG, due), due)

    def _undecided(self, cancel_id: str) -> Cancellation:
        cancellation = self.get(cancel_id)
        if not cancellation.awaits_seller:
            raise Refusal(
                WRONG_REQUEST_STATUS,
                f"The cancellation {cancel_id} does not await the seller's decision.",
            )
        return cancellation

    def _create(self, order_id: str, role: str, reason: str, selection: Selection) -> Cancellation:
        claim = Claim(CANCEL, role, self._ledger.order(order_id), self._settings.region)
        lines = claim.choose(reason, selection)
        return self._add(claim.order, lines, role, reason, self._ledger.now())

    def _add(
        self, order: Order, lines: list[LineItem], role: str, reason: str, now: float
    ) -> Cancellation:
        cancellation = Cancellation(
            id=str(_FIRST_CANCEL_ID + len(self._by_id)),
            order=order,
            lines=lines,
            reason=reason,
            role=role,
            status=PENDING,
            create_time=int(now),
            update_time=int(now),
        )
        self._by_id[cancellation.id] = cancellation
        order.cancellations.append(cancellation)
        self._ledger.mark_modified(order, now)
        for line in lines:
            line.cancellation = cancellation
        return cancellation

    def _stays_pending(self, order: Order) -> bool:
        seed = f"{self._settings.seed}/{order.id}/{len(order.cancellations)}"
        return zlib.crc32(seed.encode()) % 10_000 < self._settings.pending_share * 10_000

    def _leave_pending(self, cancellation: Cancellation, seconds: float) -> None:
        cancellation.due = self._ledger.now() + seconds
        self._ledger.schedule(cancellation.due, partial(self._confirm_due, cancellation))
        self._emit(cancellation)

    def _confirm_due(self, cancellation: Cancellation, due: float) -> None:
        if cancellation.status == PENDING:
            self._confirm(cancellation, due)

    def _confirm(self, cancellation: Cancellation, now: float) -> None:
        """Complete a cancellation. Line items become cancelled nowhere else."""
        order = cancellation.order
        if order.paid_time is not None:
            cancellation.refund = refund_of(order, cancellation.lines)
        for line in cancellation.lines:
            line.paid = order.paid_time is not None
        cancellation.status, cancellation.update_time = SUCCESS, int(now)
        for package in order.packages:
            if not package.left and package.status != packages.CANCELLED:
                package.move_to(packages.CANCELLED, int(now))
        self._stock.restock(cancellation.lines)
        self._emit(cancellation)
        self._ledger.update_status(order, now)

    def _drop(self, cancellation: Cancellation) -> None:
        now = self._ledger.now()
        cancellation.status, cancellation.update_time = DROPPED, int(now)
        self._ledger.mark_modified(cancellation.order, now)
        for line in cancellation.lines:
            line.cancellation = None
        self._emit(cancellation)

    def _emit(self, cancellation: Cancellation) -> None:
        self._ledger.on_event(cancellation_changed(cancellation, self._ledger.shop_id))
