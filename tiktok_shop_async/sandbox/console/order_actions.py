"""Actions of buyer, carrier, seller and platform on an order in its current state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from ..domain.aftersales.eligibility import Claim
from ..domain.aftersales.reasons import REJECT_CANCELLATION, REJECT_REQUEST, Reasons
from ..domain.aftersales.return_process import check_decision
from ..domain.entities import lifecycle, packages, returns
from ..domain.entities.orders import BUYER_ROLE, SELLER_ROLE, Cancellation, LineItem, Order
from ..domain.entities.returns import CANCEL, REFUND, RETURN_AND_REFUND, Return
from ..domain.shop import Shop
from ..error_responses import Refusal
from ..inputs.amounts import format_amount
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
