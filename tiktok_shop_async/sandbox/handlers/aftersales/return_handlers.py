"""Handlers that create, search, approve and reject returns and refunds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...domain.aftersales.return_process import ReturnTerms
from ...domain.entities.orders import SELLER_ROLE
from ...domain.entities.returns import APPROVALS, REFUND, REJECTIONS, RETURN_AND_REFUND, Return
from ...domain.market import Market
from ...domain.shop import Shop
from ...error_responses import invalid
from ...inputs.arguments import Arguments
from ..call import AdmittedCall, Data, Handler, shop_of
from ..call_values import amount_of, in_lists, selection_of, within_times
from ..idempotent_replies import idempotent
from ..paging import page_of
from .aftersale_documents import record_document, return_document

_REPLACEMENTS = ("APPROVE_REPLACEMENT", "ISSUE_REPLACEMENT_REFUND", "REJECT_REPLACEMENT")


@idempotent
def create_return(call: AdmittedCall, _: Market) -> Data:
    """Request a refund on the buyer's behalf; it awaits approval like a buyer's own request."""
    shop, body = shop_of(call), Arguments(call.body)
    order_id, reason = body.required_text("order_id"), body.required_text("return_reason")
    selection = selection_of(body)
    terms = ReturnTerms(
        type=body.choice("return_type", (REFUND, RETURN_AND_REFUND), ""),
        role=SELLER_ROLE,
        amount=amount_of(body, "refund_total", shop),
        shipment_type=body.choice("shipment_type", ("PLATFORM", "BUYER_ARRANGE"), "PLATFORM"),
        handover_method=body.choice("handover_method", ("DROP_OFF", "PICKUP"), "DROP_OFF"),
    )
    request = shop.returns.request(order_id, reason, selection, terms)
    return {"return_id": request.id, "return_status": request.status}


def search_returns(call: AdmittedCall, _: Market) -> Data:
    """Return a page of the returns and refunds that match all filters."""
    shop, body = shop_of(call), Arguments(call.body)
    getters: dict[str, Callable[[Return], str]] = {
        "return_ids": lambda request: request.id,
        "order_ids": lambda request: request.order.id,
        "buyer_user_ids": lambda request: request.order.buyer.user_id,
        "return_types": lambda request: request.type,
        "return_status": lambda request: request.status,
        "seller_proposed_return_type": lambda request: (
            "" if request.offer is None else "PARTIAL_REFUND"
        ),
        # The sandbox has no arbitration.
        "arbitration_status": lambda _: "",
    }
    found = within_times(in_lists(shop.returns.by_id.values(), body, getters), body)
    page = page_of(found, call, default_order="ASC")
    return {
        "return_orders": [return_document(request, shop, call.version) for request in page.items],
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


@idempotent
def approve_return(call: AdmittedCall, _: Market) -> Data:
    """Decide for the buyer, if the decision is possible in the request's current state."""
    shop, body = shop_of(call), Arguments(call.body)
    decision = body.choice("decision", (*APPROVALS, *_REPLACEMENTS[:2]), "")
    amount = _part(body, "partial_refund", "amount", shop)
    _check_offer(decision, amount)
    shop.returns.approve(
        call.path_params["return_id"],
        decision,
        amount=amount,
        buyer_keeps_item=bool(body.boolean("buyer_keep_item")),
    )
    return {}


@idempotent
def reject_return(call: AdmittedCall, _: Market) -> Data:
    """Decide against the buyer, if the decision is possible in the request's current state."""
    shop, body = shop_of(call), Arguments(call.body)
    decision = body.choice("decision", (*REJECTIONS, *_REPLACEMENTS[2:]), "")
    amount = _part(body, "partial_refund_amount", "partial_refund_total", shop)
    _check_offer(decision, amount)
    shop.returns.reject(
        call.path_params["return_id"],
        decision,
        body.required_text("reject_reason"),
        amount=amount,
        comment=body.text("comment") or "",
    )
    return {}


def get_return_records(call: AdmittedCall, _: Market) -> Data:
    """Return the history of a request, oldest step first."""
    request = shop_of(call).returns.get(call.path_params["return_id"])
    return {"records": [record_document(record, request) for record in request.records]}


RETURN_HANDLERS: Mapping[str, Handler] = {
    "return_refund.approve_return": approve_return,
    "return_refund.create_return": create_return,
    "return_refund.get_return_records": get_return_records,
    "return_refund.reject_return": reject_return,
    "return_refund.search_returns": search_returns,
}
"""Operation -> its handler."""


def _part(body: Arguments, name: str, amount: str, shop: Shop) -> int | None:
    return amount_of(Arguments(body.values.get(name) or {}), amount, shop)


def _check_offer(decision: str, amount: int | None) -> None:
    if decision.startswith("OFFER") and amount is None:
        raise invalid(f"The decision {decision} requires the amount of the partial refund.")
