"""Functions that perform the actions of an order's page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..domain.aftersales.eligibility import Selection
from ..domain.entities import returns
from ..domain.entities.orders import Cancellation, Order
from ..domain.entities.packages import Package
from ..domain.entities.returns import REFUND, RETURN_AND_REFUND, Return
from ..domain.shop import Shop
from ..inputs.json_input import shortened
from .forms import Form
from .rendering import words

Performer = Callable[[Shop, Order, Form], Any]


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
