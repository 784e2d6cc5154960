"""Actions of buyer, carrier, seller and platform on an order in its current state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from ..domain.aftersales.eligibility import Claim, Selection
from ..domain.aftersales.reasons import REJECT_CANCELLATION, REJECT_REQUEST, Reasons
from ..domain.aftersales.return_process import check_decision
from ..domain.entities import lifecycle, packages, returns
from ..domain.entities.orders import BUYER_ROLE, SELLER_ROLE, Cancellation, LineItem, Order
from ..domain.entities.packages import Package
from ..domain.entities.returns import CANCEL, REFUND, RETURN_AND_REFUND, Return
from ..domain.shop import Shop
from ..error_responses import Refusal
from ..inputs.amounts import format_amount
from ..inputs.json_input import shortened
from .forms import Form
from .rendering import words

BUYER, CARRIER, SELLER, PLATFORM = "Buyer", "Carrier", "Seller", "Platform"


@attrs.frozen(kw_only=True)
class Action:
    """An action on an order's page, with the fields of its form."""

    name: str
    actor: str
    label: str
    subject: str = ""
    """Id of the package, cancellation or return; empty for the whole order."""
    reasons: Reasons = attrs.field(factory=dict)
    lines: Sequence[LineItem] = ()
    """Line items to choose from."""
    max_amount: str = ""
    """The largest partial refund; empty if the form has no amount."""
    blocked: str = ""
    """Why it is not possible now; empty if it is possible."""

    @property
    def element_id(self) -> str:
        """The id of its form."""
        return f"{self.name}-{self.subject}" if self.subject else self.name


def actions_of(order: Order, shop: Shop) -> list[Action]:
    """Return all actions on an order; those that are not possible now have a reason."""
    return [
        *_order_actions(order, shop),
        *_package_actions(order),
        *(action for each in order.cancellations for action in _cancellation_actions(each)),
        *(action for each in order.requests for action in _return_actions(each)),
    ]


def perform(name: str, shop: Shop, order: Order, form: Form) -> str:
    """Carry out an action, and return a message with its result."""
    found = _PERFORMERS.get(name)
    if found is None:
        raise LookupError(f"The action {shortened(name)} is unknown.")
    result = found(shop, order, form)
    match result:
        case Cancellation():
            return f"Cancellation {result.id}: {words(result.status)}."
        case Return():
            return f"Return {result.id}: {words(result.status)}."
        case Package():
            return f"Package {result.id}: {words(result.status)}."
    return f"The order is {order.status}."


def _order_actions(order: Order, shop: Shop) -> Iterator[Action]:
    yield Action(name="pay", actor=BUYER, label="Pay", blocked=_unpayable(order))
    for name, kind, label in (
        ("request-cancellation", CANCEL, "Request cancellation"),
        ("request-refund", REFUND, "Request refund"),
        ("request-return", RETURN_AND_REFUND, "Request return and refund"),
    ):
        yield _claim_action(
            name, BUYER, label, Claim(kind, BUYER_ROLE, order, shop.settings.region)
        )
    yield _claim_action(
        "cancel", SELLER, "Cancel", Claim(CANCEL, SELLER_ROLE, order, shop.settings.region)
    )
    yield Action(name="complete", actor=PLATFORM, label="Complete", blocked=_incompletable(order))


def _claim_action(name: str, actor: str, label: str, claim: Claim) -> Action:
    lines: list[LineItem] = []
    reasons: dict[str, str] = {}
    blocked = "All items have a cancellation or return."
    try:
        claim.check_status()
    except Refusal as refusal:
        blocked = refusal.message
    else:
        for line in claim.order.lines:
            try:
                reasons.update(claim.reasons_for(line))
            except Refusal as refusal:
                blocked = refusal.message
            else:
                lines.append(line)
    return Action(
        name=name,
        actor=actor,
        label=label,
        reasons=reasons,
        lines=lines,
        blocked="" if lines else blocked,
    )


def _unpayable(order: Order) -> str:
    if order.status != lifecycle.UNPAID:
        return f"The order is {order.status}, not {lifecycle.UNPAID}."
    if any(line.being_cancelled for line in order.lines):
        return "A cancellation is pending."
    return ""


def _incompletable(order: Order) -> str:
    if order.status != lifecycle.DELIVERED:
        return f"The order is {order.status}, not {lifecycle.DELIVERED}."
    return "A return is open." if any(request.open for request in order.requests) else ""


_STEPS = (
    ("ship", SELLER, "Ship", packages.TO_FULFILL, "No package is ready to ship."),
    ("collect", CARRIER, "Hand over to carrier", packages.PROCESSING, "No package was shipped."),
    ("deliver", CARRIER, "Deliver", packages.FULFILLING, "No package is in transit."),
)
"""Name, actor, label, required status of a package, and the reason if no package has it."""


def _package_actions(order: Order) -> Iterator[Action]:
    for name, actor, label, status, missing in _STEPS:
        ready = [package for package in order.packages if package.status == status]
        if name == "ship" and order.status not in lifecycle.TO_SHIP:
            ready = []
        if not ready:
            yield Action(name=name, actor=actor, label=label, blocked=missing)
        for package in ready:
            frozen = "The package is frozen: a cancellation is pending." if package.frozen else ""
            yield Action(name=name, actor=actor, label=label, subject=package.id, blocked=frozen)


def _cancellation_actions(cancellation: Cancellation) -> Iterator[Action]:
    if not cancellation.awaits_seller:
        return
    subject = cancellation.id
    yield Action(
        name="withdraw-cancellation",
        actor=BUYER,
        label="Withdraw cancellation request",
        subject=subject,
    )
    yield Action(
        name="approve-cancellation", actor=SELLER, label="Approve cancellation", subject=subject
    )
    yield Action(
        name="reject-cancellation",
        actor=SELLER,
        label="Reject cancellation",
        subject=subject,
        reasons=REJECT_CANCELLATION,
    )


def _return_actions(request: Return) -> Iterator[Action]:
    subject = request.id
    if request.status == returns.AWAITING_BUYER_SHIP:
        yield Action(name="send-back", actor=BUYER, label="Send back", subject=subject)
    if request.status == returns.AWAITING_BUYER_RESPONSE:
        offer = format_amount(request.offer or 0)
        for name, label in (("accept-offer", "Accept"), ("decline-offer", "Decline")):
            yield Action(name=name, actor=BUYER, label=f"{label} offer of {offer}", subject=subject)
    if returns.WITHDRAWN in returns.NEXT[request.status]:
        yield Action(
            name="withdraw-return", actor=BUYER, label="Withdraw return request", subject=subject
        )
    for decision in returns.DECISIONS:
        if _is_possible(request, decision):
            yield Action(
                name=decision,
                actor=SELLER,
                label=words(decision),
                subject=subject,
                reasons=REJECT_REQUEST if decision in returns.REJECTIONS else {},
                max_amount=format_amount(request.worth.total)
                if decision.startswith("OFFER")
                else "",
            )


def _is_possible(request: Return, decision: str) -> bool:
    try:
        check_decision(request, decision)
    except Refusal:
        return False
    return True


Performer = Callable[[Shop, Order, Form], Any]


def _request_return(return_type: str) -> Performer:
    def performer(shop: Shop, order: Order, form: Form) -> Return:
        return shop.request_return(
            order.id, form.required("reason"), _lines(order, form), return_type=return_type
        )

    return performer


def _approve_return(decision: str) -> Performer:
    def performer(shop: Shop, order: Order, form: Form) -> Return:
        return shop.approve_return(
            _return_of(order, form), decision, amount=_amount(decision, form)
        )

    return performer


def _reject_return(decision: str) -> Performer:
    def performer(shop: Shop, order: Order, form: Form) -> Return:
        return shop.reject_return(
            _return_of(order, form),
            decision,
            form.required("reason"),
            amount=_amount(decision, form),
        )

    return performer


def _amount(decision: str, form: Form) -> int | None:
    return form.amount("amount", "Amount") if decision.startswith("OFFER") else None


def _lines(order: Order, form: Form) -> list[str]:
    """Return the ids of the chosen line items; none if the order has only one."""
    chosen = form.texts("line")
    if len(order.lines) > 1 and not chosen:
        raise ValueError("Select at least one item.")
    return chosen


def _subject(ids: Iterator[str], form: Form) -> str:
    subject = form.required("subject")
    if subject not in ids:
        raise LookupError(f"The order has no package, cancellation or return {shortened(subject)}.")
    return subject


def _package_of(order: Order, form: Form) -> str:
    return _subject((package.id for package in order.packages), form)


def _cancellation_of(order: Order, form: Form) -> str:
    return _subject((each.id for each in order.cancellations), form)


def _return_of(order: Order, form: Form) -> str:
    return _subject((each.id for each in order.requests), form)


_PERFORMERS: Mapping[str, Performer] = {
    "pay": lambda shop, order, form: shop.pay(order.id),
    "request-cancellation": lambda shop, order, form: shop.request_cancellation(
        order.id, form.required("reason"), _lines(order, form)
    ),
    "request-refund": _request_return(REFUND),
    "request-return": _request_return(RETURN_AND_REFUND),
    "cancel": lambda shop, order, form: shop.cancel(
        order.id, form.required("reason"), Selection(_lines(order, form))
    ),
    "complete": lambda shop, order, form: shop.complete(order.id),
    "ship": lambda shop, order, form: shop.ship_package(_package_of(order, form)),
    "collect": lambda shop, order, form: shop.collect(order.id, _package_of(order, form)),
    "deliver": lambda shop, order, form: shop.deliver(order.id, _package_of(order, form)),
    "withdraw-cancellation": lambda shop, order, form: shop.withdraw_cancellation(
        _cancellation_of(order, form)
    ),
    "approve-cancellation": lambda shop, order, form: shop.approve_cancellation(
        _cancellation_of(order, form)
    ),
    "reject-cancellation": lambda shop, order, form: shop.reject_cancellation(
        _cancellation_of(order, form), form.required("reason")
    ),
    "send-back": lambda shop, order, form: shop.send_back(_return_of(order, form)),
    "accept-offer": lambda shop, order, form: shop.answer_offer(
        _return_of(order, form), accept=True
    ),
    "decline-offer": lambda shop, order, form: shop.answer_offer(
        _return_of(order, form), accept=False
    ),
    "withdraw-return": lambda shop, order, form: shop.withdraw_return(_return_of(order, form)),
    **{decision: _approve_return(decision) for decision in returns.APPROVALS},
    **{decision: _reject_return(decision) for decision in returns.REJECTIONS},
}
"""Name of an action -> the function that performs it."""
