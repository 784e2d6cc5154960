"""Returns and refunds: requests, decisions, parcels and payouts."""

from __future__ import annotations

from functools import partial

import attrs

from ...error_responses import (
    TOO_MUCH,
    UNKNOWN_REASON,
    UNKNOWN_REQUEST,
    WRONG_REQUEST_STATUS,
    Refusal,
)
from ..entities import returns
from ..entities.orders import BUYER_ROLE, SELLER_ROLE, SYSTEM_ROLE, Order
from ..entities.refunds import Refund, part_of, refund_of
from ..entities.returns import REFUND, Record, Return
from ..orders.ledger import Ledger
from ..orders.shop_settings import ShopSettings
from ..orders.stock import Stock
from ..shop_events import return_changed
from .eligibility import Claim, Selection
from .reasons import REJECT_REQUEST

_FIRST_RETURN_ID = 4_035_500_000_000_000_000


@attrs.frozen(kw_only=True)
class ReturnTerms:
    """The terms of a new request for a return or refund."""

    type: str = REFUND
    role: str = BUYER_ROLE
    amount: int | None = None
    """The requested cents; None requests all that the line items are worth."""
    shipment_type: str = "PLATFORM"
    handover_method: str = "DROP_OFF"


@attrs.frozen
class _Step:
    """A step of a request: the role that takes it, its time, and a comment."""

    role: str
    time: float
    comment: str = ""


@attrs.frozen(eq=False)
class Returns:
    """The returns and refunds of a shop, and how they are requested, decided and paid out."""

    _ledger: Ledger
    _settings: ShopSettings
    _stock: Stock
    _by_id: dict[str, Return] = attrs.field(factory=dict, init=False, repr=False)

    @property
    def by_id(self) -> dict[str, Return]:
        """All returns and refunds by id, in their current state."""
        self._ledger.settle()
        return self._by_id

    def get(self, return_id: str) -> Return:
        """Return a return or refund in its current state."""
        request = self.by_id.get(return_id)
        if request is None:
            raise Refusal(UNKNOWN_REQUEST, f"The return {return_id} does not exist in this shop.")
        return request

    def request(
        self, order_id: str, reason: str, selection: Selection, terms: ReturnTerms
    ) -> Return:
        """Request a refund, with or without sending the items back."""
        order = self._ledger.order(order_id)
        claim = Claim(terms.type, terms.role, order, self._settings.region)
        chosen = claim.choose(reason, selection)
        if terms.amount is not None:
            _check_amount(terms.amount, refund_of(order, chosen))
        now = self._ledger.now()
        request = Return(
            id=str(_FIRST_RETURN_ID + len(self._by_id)),
            order=order,
            lines=chosen,
            type=terms.type,
            reason=reason,
            role=terms.role,
            create_time=int(now),
            update_time=int(now),
            asked=terms.amount,
            shipment_type=terms.shipment_type,
            handover_method=terms.handover_method,
        )
        self._by_id[request.id] = request
        order.requests.append(request)
        for line in chosen:
            line.request = request
        deadline = now + self._settings.spans.seller_response_seconds
        self._record(request, _Step(terms.role, now), deadline)
        return request

    def approve(
        self,
        return_id: str,
        decision: str,
        *,
        amount: int | None = None,
        buyer_keeps_item: bool = False,
    ) -> Return:
        """Decide for the buyer, as the seller; ``amount`` in cents grants or offers only a part."""
        request = self.get(return_id)
        check_decision(request, decision)
        if amount is not None:
            _check_amount(amount, request.worth)
        step = _Step(SELLER_ROLE, self._ledger.now())
        if decision == "OFFER_PARTIAL_REFUND":
            self._offer(request, amount)
        elif decision == "APPROVE_RETURN" and not buyer_keeps_item:
            self._await_parcel(request, step)
        else:
            request.buyer_keeps_item = buyer_keeps_item or decision == "DIRECT_REFUND"
            self._grant(request, step, amount)
        return request

    def reject(
        self,
        return_id: str,
        decision: str,
        reason: str,
        *,
        amount: int | None = None,
        comment: str = "",
    ) -> Return:
        """Decide against the buyer, as the seller, or offer ``amount`` cents for a parcel."""
        request = self.get(return_id)
        check_decision(request, decision)
        if reason not in REJECT_REQUEST:
            raise Refusal(UNKNOWN_REASON, "The reject reason is unknown.")
        if decision == "OFFER_PARTIAL_REFUND_AFTER_RECEIVING_PKG":
            if amount is not None:
                _check_amount(amount, request.worth)
            self._offer(request, amount)
        else:
            sent_back = request.status == returns.BUYER_SHIPPED_ITEM
            status = returns.PACKAGE_REJECTED if sent_back else returns.REJECTED
            self._close(request, status, _Step(SELLER_ROLE, self._ledger.now(), comment))
        return request

    def send_back(self, return_id: str, tracking_number: str = "") -> Return:
        """Send back an approved return, as the buyer."""
        request = self._in_status(return_id, returns.AWAITING_BUYER_SHIP)
        now = self._ledger.now()
        request.tracking_number = tracking_number or f"RT{request.id[-12:]}"
        deadline = now + self._settings.spans.seller_response_seconds
        self._move(request, returns.BUYER_SHIPPED_ITEM, _Step(BUYER_ROLE, now), deadline)
        return request

    def answer_offer(self, return_id: str, *, accept: bool) -> Return:
        """Accept or decline an offered partial refund, as the buyer."""
        request = self._in_status(return_id, returns.AWAITING_BUYER_RESPONSE)
        step = _Step(BUYER_ROLE, self._ledger.now())
        if accept:
            self._grant(request, step, request.offer)
        else:
            self._decline(request, step)
        return request

    def withdraw(self, return_id: str) -> Return:
        """Withdraw a request as the buyer, before the parcel is sent."""
        request = self.get(return_id)
        if returns.WITHDRAWN not in returns.NEXT[request.status]:
            raise _wrong_status(request)
        self._close(request, returns.WITHDRAWN, _Step(BUYER_ROLE, self._ledger.now()))
        return request

    def register(self, order: Order) -> None:
        """Register a new order's returns, and schedule their deadlines."""
        for request in order.requests:
            self._by_id[request.id] = request
            self._schedule_deadline(request)

    def _in_status(self, return_id: str, status: str) -> Return:
        request = self.get(return_id)
        if request.status != status:
            raise _wrong_status(request)
        return request

    def _offer(self, request: Return, amount: int | None) -> None:
        assert amount is not None, "the handlers require the amount of an offer"
        now = self._ledger.now()
        request.offer, request.offered_in = amount, request.status
        deadline = now + self._settings.spans.buyer_response_seconds
        self._move(request, returns.AWAITING_BUYER_RESPONSE, _Step(SELLER_ROLE, now), deadline)

    def _decline(self, request: Return, step: _Step) -> None:
        request.offer_declined = True
        deadline = step.time + self._settings.spans.seller_response_seconds
        self._move(request, request.offered_in, step, deadline)

    def _await_parcel(self, request: Return, step: _Step) -> None:
        deadline = step.time + self._settings.spans.buyer_ship_seconds
        self._move(request, returns.AWAITING_BUYER_SHIP, step, deadline)

    def _grant(self, request: Return, step: _Step, amount: int | None = None) -> None:
        """Grant the refund. Line items become refunded nowhere else.

        Our choice: items that were sent back are for sale again, unless the buyer keeps them.
        """
        worth = request.worth
        request.refund = worth if amount is None else part_of(worth, amount)
        if request.sent_back and not request.buyer_keeps_item:
            self._stock.restock(request.lines)
        deadline = step.time + self._settings.spans.payout_seconds
        self._move(request, returns.GRANTED, step, deadline)

    def _close(self, request: Return, status: str, step: _Step) -> None:
        for line in request.lines:
            line.request = None
        self._move(request, status, step)

    def _move(
        self, request: Return, status: str, step: _Step, deadline: float | None = None
    ) -> None:
        assert status in returns.NEXT[request.status], f"{request.status} -> {status}"
        request.status = status
        self._record(request, step, deadline)

    def _record(self, request: Return, step: _Step, deadline: float | None) -> None:
        """Record a new status, emit its event, and schedule its deadline."""
        now = int(step.time)
        request.update_time, request.deadline = now, deadline
        event = "ORDER_RETURN" if len(request.records) == 0 else request.status
        description = f"The status is {request.status} now."
        request.records.append(Record(event, step.role, description, now, step.comment))
        self._ledger.on_modified(request.order)
        self._schedule_deadline(request)
        self._ledger.on_event(return_changed(request, self._ledger.shop_id))

    def _schedule_deadline(self, request: Return) -> None:
        if request.deadline is not None:
            action = partial(self._reach_deadline, request, request.status)
            self._ledger.schedule(request.deadline, action)

    def _reach_deadline(self, request: Return, status: str, due: float) -> None:
        if (request.status, request.deadline) != (status, due):
            return
        step = _Step(SYSTEM_ROLE, due)
        if status == returns.GRANTED:
            self._move(request, returns.PAID_OUT, step)
        elif status == returns.AWAITING_BUYER_SHIP:
            self._close(request, returns.WITHDRAWN, step)
        elif status == returns.AWAITING_BUYER_RESPONSE:
            self._decline(request, step)
        elif status == returns.REQUESTED and request.type != REFUND:
            self._await_parcel(request, step)
        else:
            self._grant(request, step)


def check_decision(request: Return, decision: str) -> None:
    """Refuse a decision that is not possible in the current state of a request."""
    types, statuses = returns.DECISIONS.get(decision, ((), ()))
    if request.type not in types or request.status not in statuses:
        raise _wrong_status(request, decision)
    if decision.startswith("OFFER") and request.offer is not None:
        raise Refusal(WRONG_REQUEST_STATUS, f"An offer for {request.id} was already made.")


def _wrong_status(request: Return, decision: str = "") -> Refusal:
    words = f"{decision} is not possible" if decision else "this is not possible"
    return Refusal(WRONG_REQUEST_STATUS, f"The return {request.id} is {request.status}: {words}.")


def _check_amount(amount: int, maximum: Refund) -> None:
    if not 0 < amount <= maximum.total:
        raise Refusal(TOO_MUCH, f"The refund must be above 0 and at most {maximum.total} cents.")
