"""Handlers that say what can be cancelled, refunded and decided, why, and for how much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import attrs

from ...domain.aftersales.eligibility import Claim
from ...domain.aftersales.reasons import REJECT_CANCELLATION, REJECT_REQUEST, Reasons
from ...domain.aftersales.return_process import check_decision
from ...domain.entities import lifecycle
from ...domain.entities.orders import BUYER_ROLE, SELLER_ROLE, Cancellation, LineItem
from ...domain.entities.refunds import refund_of
from ...domain.entities.returns import CANCEL, DECISIONS, REQUEST_TYPES, Return
from ...domain.market import Market
from ...domain.shop import Shop
from ...error_responses import UNFIT_REASON, UNKNOWN_REQUEST, WRONG_REQUEST_STATUS, Refusal, invalid
from ...inputs.arguments import Arguments
from ..call import AdmittedCall, Data, Handler, shop_of
from ..call_values import selection_of
from .aftersale_documents import refund_document

_CANCEL_DECISIONS = ("APPROVE_REQUEST_CANCEL", "REJECT_REQUEST_CANCEL")


def get_aftersale_eligibility(call: AdmittedCall, _: Market) -> Data:
    """Return for each line item of an order what can be requested, and for which reasons.

    Our choice if the call names no types: cancellation, and refunds once something was shipped.
    """
    shop, query = shop_of(call), Arguments(call.query)
    order = shop.ledger.order(call.path_params["order_id"])
    role = query.choice("initiate_aftersale_user", (SELLER_ROLE, BUYER_ROLE), SELLER_ROLE)
    shipped = order.status in (*lifecycle.SHIPPED, lifecycle.PARTIALLY_SHIPPING)
    types = query.joined_texts("request_types") or (REQUEST_TYPES if shipped else (CANCEL,))
    for request_type in types:
        if request_type not in REQUEST_TYPES:
            raise invalid(
                f"The parameter request_types must be a list of {', '.join(REQUEST_TYPES)}."
            )
    claims = [Claim(each, role, order, shop.settings.region) for each in types]
    lines_by_sku: dict[str, list[LineItem]] = defaultdict(list)
    for line in order.lines:
        lines_by_sku[line.sku.id].append(line)
    return {
        "sku_eligibility": [
            {
                "sku_id": sku_id,
                "line_item_eligibility": [
                    _eligibility(claim, line, call.version) for line in lines for claim in claims
                ],
            }
            for sku_id, lines in lines_by_sku.items()
        ]
    }


def calculate_refund(call: AdmittedCall, _: Market) -> Data:
    """Return the refund of a request without making it."""
    shop, body = shop_of(call), Arguments(call.body)
    request_type = body.choice("request_type", REQUEST_TYPES, "")
    order = shop.ledger.order(body.required_text("order_id"))
    claim = Claim(request_type, SELLER_ROLE, order, shop.settings.region)
    lines = _choose(claim, body)
    return {"order_refund_amount": refund_document(refund_of(order, lines), shop.currency)}


def get_reject_reasons(call: AdmittedCall, _: Market) -> Data:
    """Return the reasons to reject a cancellation or return."""
    found = _request(shop_of(call), Arguments(call.query).required_text("return_or_cancel_id"))
    reasons = REJECT_CANCELLATION if isinstance(found, Cancellation) else REJECT_REQUEST
    return {"reasons": _named(reasons)}


def get_decision_eligibility(call: AdmittedCall, _: Market) -> Data:
    """Return which decisions are possible for a cancellation or return in its current state."""
    query = Arguments(call.query)
    found = _request(shop_of(call), query.required_text("return_or_cancel_id"))
    decisions = query.joined_texts("check_decisions") or (
        _CANCEL_DECISIONS
        if isinstance(found, Cancellation)
        else [name for name in DECISIONS if not name.startswith("OFFER")]
    )
    return {"decisions": [_decision(found, name) for name in decisions]}


ELIGIBILITY_HANDLERS: Mapping[str, Handler] = {
    "return_refund.calculate_refund": calculate_refund,
    "return_refund.get_aftersale_eligibility": get_aftersale_eligibility,
    "return_refund.get_decision_eligibility": get_decision_eligibility,
    "return_refund.get_reject_reasons": get_reject_reasons,
}
"""Operation -> its handler."""


def _eligibility(claim: Claim, line: LineItem, version: str) -> Data:
    data: Data = {
        "request_type": claim.type,
        "order_line_items_ids": [line.id],
        "eligible": True,
    }
    reasons: list[str] = []
    try:
        reasons = list(claim.reasons_for(line))
    except Refusal as refusal:
        data["eligible"] = False
        data["ineligible_code"] = refusal.code
        data["ineligible_reason"] = refusal.message
    if version >= "202512":
        data["available_reason_names"] = reasons
    if version >= "202602":
        data["order_line_list"] = [{"order_line_item_id": line.id}]
    return data


def _choose(claim: Claim, body: Arguments) -> list[LineItem]:
    """Return the selected line items; both sellers' and buyers' reasons are valid here."""
    reason, selection = body.required_text("reason_name"), selection_of(body)
    try:
        return claim.choose(reason, selection)
    except Refusal as refusal:
        if refusal.code != UNFIT_REASON:
            raise
        return attrs.evolve(claim, role=BUYER_ROLE).choose(reason, selection)


def _request(shop: Shop, request_id: str) -> Cancellation | Return:
    found = shop.cancellations.by_id.get(request_id) or shop.returns.by_id.get(request_id)
    if found is None:
        raise Refusal(UNKNOWN_REQUEST, f"The shop has no return or cancellation {request_id}.")
    return found


def _decision(found: Cancellation | Return, decision: str) -> Data:
    data: Data = {"decision": decision, "eligible": True, "available_reject_reasons": []}
    try:
        reasons = _reject_reasons(found, decision)
    except Refusal as refusal:
        data["eligible"] = False
        data["ineligible_code"] = refusal.code
        data["ineligible_reason"] = refusal.message
    else:
        if decision.startswith("REJECT"):
            data["available_reject_reasons"] = _named(reasons)
    return data


def _reject_reasons(found: Cancellation | Return, decision: str) -> Reasons:
    """Return the reasons to reject a request, or refuse a decision that is not possible."""
    if isinstance(found, Return):
        check_decision(found, decision)
        return REJECT_REQUEST
    if decision not in _CANCEL_DECISIONS or not found.awaits_seller:
        raise Refusal(
            WRONG_REQUEST_STATUS, f"{decision} is not possible for the cancellation {found.id}."
        )
    return REJECT_CANCELLATION


def _named(reasons: Reasons) -> list[Data]:
    return [{"name": name, "text": text} for name, text in reasons.items()]
