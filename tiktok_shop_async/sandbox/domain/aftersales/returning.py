"""How returns and refunds go: asked for, decided, sent back, paid out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import attrs

from ...error_responses import (
    TOO_MUCH,
    UNKNOWN_REASON,
    UNKNOWN_REQUEST,
    WRONG_REQUEST_STATUS,
    Refusal,
)
from ..events import return_changed
from ..orders.orders import BUYER_ROLE, SELLER_ROLE, SYSTEM_ROLE, Order
from . import returns
from .cancelling import Cancelling
from .reasons import REFUND, REJECT_REQUEST
from .refunds import Refund, part_of, refund_of
from .returns import Record, Return
from .rules import Selection, select

_FIRST_RETURN_ID = 4_035_500_000_000_000_000


@attrs.define(eq=False, kw_only=True)
class Returning(Cancelling):
    """A shop that takes things back."""

    _returns: dict[str, Return] = attrs.field(factory=dict, init=False, repr=False)

    @property
    def returns(self) -> dict[str, Return]:
        """All returns and refunds by id, as they are now."""
        self.settle()
        return self._returns

    def return_request(self, return_id: str) -> Return:
        """Return a return or refund as it is now."""
        request = self.returns.get(return_id)
        if request is None:
            raise Refusal(UNKNOWN_REQUEST, f"The return {return_id} does not exist in this shop.")
        return request

    def request_return(
        self,
        order_id: str,
        reason: str,
        lines: Selection | Sequence[str] = (),
        *,
        return_type: str = REFUND,
        role: str = BUYER_ROLE,
        amount: int | None = None,
        shipment_type: str = "PLATFORM",
        handover_method: str = "DROP_OFF",
    ) -> Return:
        """Ask for a refund, all or ``amount`` cents, with or without sending things back."""
        claim = self.claim(return_type, role, order_id)
        chosen = claim.choose(reason, select(lines))
        if amount is not None:
            _check_amount(amount, refund_of(claim.order, chosen))
        now = self.clock()
        request = Return(
            id=str(_FIRST_RETURN_ID + len(self._returns)),
            order=claim.order,
            lines=chosen,
            type=return_type,
            reason=reason,
            role=role,
            create_time=int(now),
            update_time=int(now),
            asked=amount,
            shipment_type=shipment_type,
            handover_method=handover_method,
        )
        self._returns[request.id] = request
        claim.order.requests.append(request)
        for line in chosen:
            line.request = request
        self._note(request, role, now, deadline=now + self.spans.seller_response_seconds)
        return request

    def approve_return(
        self,
        return_id: str,
        decision: str,
        *,
        amount: int | None = None,
        buyer_keeps_item: bool = False,
    ) -> Return:
        """Decide for the buyer, as the seller; ``amount`` in cents grants or offers only a part."""
        request = self.return_request(return_id)
        check_decision(request, decision)
        if amount is not None:
            _check_amount(amount, request.worth)
        if decision == "OFFER_PARTIAL_REFUND":
            self._offer(request, amount)
        elif decision == "APPROVE_RETURN" and not buyer_keeps_item:
            self._await_parcel(request, SELLER_ROLE, self.clock())
        else:
            request.buyer_keeps_item = buyer_keeps_item or decision == "DIRECT_REFUND"
            self._grant(request, SELLER_ROLE, self.clock(), amount)
        return request

    def reject_return(
        self,
        return_id: str,
        decision: str,
        reason: str,
        *,
        amount: int | None = None,
        comment: str = "",
    ) -> Return:
        """Decide against the buyer, as the seller, or offer ``amount`` cents for what came back."""
        request = self.return_request(return_id)
        check_decision(request, decision)
        if reason not in REJECT_REQUEST:
            raise Refusal(UNKNOWN_REASON, "The reject reason is unknown.")
        if decision == "OFFER_PARTIAL_REFUND_AFTER_RECEIVING_PKG":
            if amount is not None:
                _check_amount(amount, request.worth)
            self._offer(request, amount)
        else:
            came_back = request.status == returns.BUYER_SHIPPED_ITEM
            status = returns.PACKAGE_REJECTED if came_back else returns.REJECTED
            self._close(request, status, SELLER_ROLE, self.clock(), comment)
        return request

    def send_back(self, return_id: str, tracking_number: str = "") -> Return:
        """Have the buyer send back what the seller agreed to take."""
        request = self._in_status(return_id, returns.AWAITING_BUYER_SHIP)
        now = self.clock()
        request.tracking_number = tracking_number or f"RT{request.id[-12:]}"
        self._move_on(
            request,
            returns.BUYER_SHIPPED_ITEM,
            BUYER_ROLE,
            now,
            deadline=now + self.spans.seller_response_seconds,
        )
        return request

    def answer_offer(self, return_id: str, *, accept: bool) -> Return:
        """Have the buyer take a partial refund, or insist on the request as it was."""
        request = self._in_status(return_id, returns.AWAITING_BUYER_RESPONSE)
        if accept:
            self._grant(request, BUYER_ROLE, self.clock(), request.offer)
        else:
            self._decline(request, BUYER_ROLE, self.clock())
        return request

    def withdraw_return(self, return_id: str) -> Return:
        """Have the buyer take the request back; not once the parcel is on its way."""
        request = self.return_request(return_id)
        if returns.WITHDRAWN not in returns.NEXT[request.status]:
            raise _wrong_status(request)
        self._close(request, returns.WITHDRAWN, BUYER_ROLE, self.clock())
        return request

    def _adopt(self, order: Order) -> None:
        super()._adopt(order)
        for request in order.requests:
            self._returns[request.id] = request
            self._await_deadline(request)

    def _in_status(self, return_id: str, status: str) -> Return:
        request = self.return_request(return_id)
        if request.status != status:
            raise _wrong_status(request)
        return request

    def _offer(self, request: Return, amount: int | None) -> None:
        assert amount is not None, "an offer names its amount"
        now = self.clock()
        request.offer, request.offered_in = amount, request.status
        self._move_on(
            request,
            returns.AWAITING_BUYER_RESPONSE,
            SELLER_ROLE,
            now,
            deadline=now + self.spans.buyer_response_seconds,
        )

    def _decline(self, request: Return, role: str, now: float) -> None:
        request.offer_declined = True
        deadline = now + self.spans.seller_response_seconds
        self._move_on(request, request.offered_in, role, now, deadline=deadline)

    def _await_parcel(self, request: Return, role: str, now: float) -> None:
        deadline = now + self.spans.buyer_ship_seconds
        self._move_on(request, returns.AWAITING_BUYER_SHIP, role, now, deadline=deadline)

    def _grant(self, request: Return, role: str, now: float, amount: int | None = None) -> None:
        """Give the money back: the one place where line items become refunded.

        Our choice: what came back is for sale again, unless the buyer gets to keep it.
        """
        worth = request.worth
        request.refund = worth if amount is None else part_of(worth, amount)
        if request.sent_back and not request.buyer_keeps_item:
            self.stock.put_back(request.lines)
        self._move_on(request, returns.GRANTED, role, now, deadline=now + self.spans.payout_seconds)

    def _close(
        self, request: Return, status: str, role: str, now: float, comment: str = ""
    ) -> None:
        for line in request.lines:
            line.request = None
        self._move_on(request, status, role, now, comment=comment)

    def _move_on(
        self,
        request: Return,
        status: str,
        role: str,
        now: float,
        *,
        deadline: float | None = None,
        comment: str = "",
    ) -> None:
        assert status in returns.NEXT[request.status], f"{request.status} -> {status}"
        request.status = status
        self._note(request, role, now, deadline=deadline, comment=comment)

    def _note(
        self,
        request: Return,
        role: str,
        now: float,
        *,
        deadline: float | None,
        comment: str = "",
    ) -> None:
        """Remember a new status, tell of it, and have time decide at the deadline."""
        request.update_time, request.deadline = int(now), deadline
        event = "ORDER_RETURN" if len(request.records) == 0 else request.status
        request.records.append(
            Record(event, role, f"The status is {request.status} now.", int(now), comment)
        )
        self.on_touch(request.order)
        self._await_deadline(request)
        self.on_change(return_changed(request, self.id))

    def _await_deadline(self, request: Return) -> None:
        if request.deadline is not None:
            self._do_at(request.deadline, partial(self._fall_due_in, request, request.status))

    def _fall_due_in(self, request: Return, status: str, due: float) -> None:
        if (request.status, request.deadline) != (status, due):
            return
        if status == returns.GRANTED:
            self._move_on(request, returns.PAID_OUT, SYSTEM_ROLE, due)
        elif status == returns.AWAITING_BUYER_SHIP:
            self._close(request, returns.WITHDRAWN, SYSTEM_ROLE, due)
        elif status == returns.AWAITING_BUYER_RESPONSE:
            self._decline(request, SYSTEM_ROLE, due)
        elif status == returns.REQUESTED and request.type != REFUND:
            self._await_parcel(request, SYSTEM_ROLE, due)
        else:
            self._grant(request, SYSTEM_ROLE, due)


def check_decision(request: Return, decision: str) -> None:
    """Refuse a decision that does not fit a request as it is."""
    types, statuses = returns.DECISIONS.get(decision, ((), ()))
    if request.type not in types or request.status not in statuses:
        raise _wrong_status(request, decision)
    if decision.startswith("OFFER") and request.offer is not None:
        raise Refusal(WRONG_REQUEST_STATUS, f"An offer for {request.id} was made already.")


def _wrong_status(request: Return, decision: str = "") -> Refusal:
    words = f"{decision} is not possible" if decision else "this is not possible"
    return Refusal(WRONG_REQUEST_STATUS, f"The return {request.id} is {request.status}: {words}.")


def _check_amount(amount: int, most: Refund) -> None:
    if not 0 < amount <= most.total:
        raise Refusal(TOO_MUCH, f"The refund must be above 0 and at most {most.total} cents.")
