"""How returns and refunds are played: made, searched, approved, rejected, and their history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..arguments import Arguments
from ..domain.aftersales.reasons import REFUND, RETURN_AND_REFUND
from ..domain.aftersales.returns import APPROVALS, REJECTIONS, Return
from ..domain.idempotency import idempotent
from ..domain.market import Market
from ..domain.orders.orders import SELLER_ROLE
from ..domain.shop import Shop
from ..error_responses import invalid
from ..http.gateway import AdmittedCall
from .aftersale_documents import record_document, return_document
from .paging import page_of
from .reading import amount_of, in_lists, selection_of, shop_of, within_times

Data = dict[str, Any]

_REPLACEMENTS = ("APPROVE_REPLACEMENT", "ISSUE_REPLACEMENT_REFUND", "REJECT_REPLACEMENT")


@idempotent
def create_return(call: AdmittedCall, _: Market) -> Data:
    """Ask for a refund in the buyer's place; it then awaits approval like any other."""
    shop, body = shop_of(call), Arguments(call.body)
    request = shop.request_return(
        body.required_text("order_id"),
        body.required_text("return_reason"),
        selection_of(body),
        return_type=body.choice("return_type", (REFUND, RETURN_AND_REFUND), ""),
        role=SELLER_ROLE,
        amount=amount_of(body, "refund_total", shop),
        shipment_type=body.choice("shipment_type", ("PLATFORM", "BUYER_ARRANGE"), "PLATFORM"),
        handover_method=body.choice("handover_method", ("DROP_OFF", "PICKUP"), "DROP_OFF"),
    )
    return {"return_id": request.id, "return_status": request.status}


def search_returns(call: AdmittedCall, _: Market) -> Data:
    """Answer with the returns and refunds that fit all filters, a page at a time."""
    shop, body = shop_of(call), Arguments(call.body)
    read: dict[str, Callable[[Return], str]] = {
        "return_ids": lambda request: request.id,
        "order_ids": lambda request: request.order.id,
        "buyer_user_ids": lambda request: request.order.buyer.user_id,
        "return_types": lambda request: request.type,
        "return_status": lambda request: request.status,
        "seller_proposed_return_type": lambda request: (
            "" if request.offer is None else "PARTIAL_REFUND"
        ),
        # Nobody goes to arbitration here.
        "arbitration_status": lambda _: "",
    }
    found = within_times(in_lists(shop.returns.values(), body, read), body)
    page = page_of(found, call, default_order="ASC")
    return {
        "return_orders": [return_document(request, shop, call.version) for request in page.items],
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


@idempotent
def approve_return(call: AdmittedCall, _: Market) -> Data:
    """Decide for the buyer, in one of the ways that fit the request as it is."""
    shop, body = shop_of(call), Arguments(call.body)
    decision = body.choice("decision", (*APPROVALS, *_REPLACEMENTS[:2]), "")
    amount = _part(body, "partial_refund", "amount", shop)
    _check_offer(decision, amount)
    shop.approve_return(
        call.path_params["return_id"],
        decision,
        amount=amount,
        buyer_keeps_item=bool(body.boolean("buyer_keep_item")),
    )
    return {}


@idempotent
def reject_return(call: AdmittedCall, _: Market) -> Data:
    """Decide against the buyer, in one of the ways that fit the request as it is."""
    shop, body = shop_of(call), Arguments(call.body)
    decision = body.choice("decision", (*REJECTIONS, *_REPLACEMENTS[2:]), "")
    amount = _part(body, "partial_refund_amount", "partial_refund_total", shop)
    _check_offer(decision, amount)
    shop.reject_return(
        call.path_params["return_id"],
        decision,
        body.required_text("reject_reason"),
        amount=amount,
        comment=body.text("comment") or "",
    )
    return {}


def get_return_records(call: AdmittedCall, _: Market) -> Data:
    """Answer with the history of a request, oldest step first."""
    request = shop_of(call).return_request(call.path_params["return_id"])
    return {"records": [record_document(record, request) for record in request.records]}


RETURN_PLAYS: Mapping[str, Callable[[AdmittedCall, Market], Data]] = {
    "return_refund.approve_return": approve_return,
    "return_refund.create_return": create_return,
    "return_refund.get_return_records": get_return_records,
    "return_refund.reject_return": reject_return,
    "return_refund.search_returns": search_returns,
}
"""Operation -> the function that plays it."""


def _part(body: Arguments, name: str, amount: str, shop: Shop) -> int | None:
    return amount_of(Arguments(body.values.get(name) or {}), amount, shop)


def _check_offer(decision: str, amount: int | None) -> None:
    if decision.startswith("OFFER") and amount is None:
        raise invalid(f"The decision {decision} needs the amount of the partial refund.")
