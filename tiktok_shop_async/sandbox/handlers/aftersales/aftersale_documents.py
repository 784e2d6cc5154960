"""Cancellations, returns and refunds as response data, with the fields of the catalogue."""

from __future__ import annotations

from typing import Any

from ...domain.aftersales.reasons import TEXTS
from ...domain.entities.orders import DROPPED, SUCCESS, Cancellation, LineItem
from ...domain.entities.packages import PROVIDER_ID, PROVIDER_NAME
from ...domain.entities.refunds import Refund, Share, refund_of
from ...domain.entities.returns import RETURN_AND_REFUND, Record, Return
from ...domain.shop import Shop
from ...inputs.amounts import format_amount
from ..order_documents import image_of

Document = dict[str, Any]


def cancellation_document(cancellation: Cancellation, shop: Shop, version: str) -> Document:
    """Return a cancellation as in search results."""
    document: Document = {
        "cancel_id": cancellation.id,
        "order_id": cancellation.order.id,
        "cancel_type": cancel_type(cancellation),
        "cancel_status": cancellation.status,
        "role": cancellation.role,
        "cancel_reason": cancellation.reason,
        "cancel_reason_text": TEXTS[cancellation.reason],
        "create_time": cancellation.create_time,
        "update_time": cancellation.update_time,
        "seller_next_action_response": [],
        "cancel_line_items": [_cancelled_line(line) for line in cancellation.lines],
    }
    if cancellation.awaits_seller:
        action = "SELLER_RESPOND_BUYER_CANCEL" if version >= "202602" else "SELLER_RESPOND_CANCEL"
        document["seller_next_action_response"] = [
            {"action": action, "deadline": int(cancellation.due)}
        ]
    refund = _refund(cancellation)
    if refund is not None:
        document["refund_amount"] = refund_document(refund, shop.currency)
        _put_shares(document["cancel_line_items"], refund, shop.currency)
    if version >= "202602":
        document["should_replenish_stock"] = cancellation.status == SUCCESS
    return document


def cancel_type(cancellation: Cancellation) -> str:
    """Return BUYER_CANCEL for a request that required the seller's decision, else CANCEL."""
    return "BUYER_CANCEL" if cancellation.needs_decision else "CANCEL"


def return_document(request: Return, shop: Shop, version: str) -> Document:
    """Return a return or refund as in search results."""
    worth = request.worth
    document: Document = {
        "return_id": request.id,
        "order_id": request.order.id,
        "return_type": request.type,
        "return_status": request.status,
        "role": request.role,
        "return_reason": request.reason,
        "return_reason_text": TEXTS[request.reason],
        "create_time": request.create_time,
        "update_time": request.update_time,
        "can_buyer_keep_item": request.buyer_keeps_item,
        "is_combined_return": False,
        "buyer_rejected_partial_refund": request.offer_declined,
        "seller_next_action_response": [],
        "refund_amount": refund_document(worth, shop.currency),
        "return_line_items": [_returned_line(line) for line in request.lines],
    }
    _put_shares(document["return_line_items"], worth, shop.currency)
    if request.next_action is not None and request.deadline is not None:
        document["seller_next_action_response"] = [
            {"action": request.next_action, "deadline": int(request.deadline)}
        ]
    document |= _shipment(request) | _offer(request, shop.currency)
    if version >= "202602":
        document["is_quick_refund"] = False
    return document


def record_document(record: Record, request: Return) -> Document:
    """Return a step in the history of a request."""
    return {
        "event": record.event,
        "role": record.role,
        "description": record.description,
        "reason_text": TEXTS[request.reason],
        "note": record.note,
        "images": [],
        "videos": [],
        "create_time": record.create_time,
    }


def refund_document(refund: Refund, currency: str) -> Document:
    """Return a refund with its parts."""
    return _amounts(refund, refund.shipping_fee, currency)


def _shipment(request: Return) -> Document:
    document: Document = {}
    if request.type == RETURN_AND_REFUND:
        document["shipment_type"] = request.shipment_type
        document["handover_method"] = request.handover_method
        document["return_method"] = (
            "PLATFORM_SHIPPED" if request.shipment_type == "PLATFORM" else "BUYER_SHIPPED"
        )
    if request.tracking_number:
        document["return_tracking_number"] = request.tracking_number
        document["return_provider_id"] = PROVIDER_ID
        document["return_provider_name"] = PROVIDER_NAME
    return document


def _offer(request: Return, currency: str) -> Document:
    if request.offer is None:
        return {}
    return {
        "seller_proposed_return_type": "PARTIAL_REFUND",
        "partial_refund": {"currency": currency, "amount": format_amount(request.offer)},
    }


def _refund(cancellation: Cancellation) -> Refund | None:
    """Return the refund of a completed or pending cancellation; None if nothing is refunded."""
    order = cancellation.order
    if cancellation.refund is not None:
        return cancellation.refund
    if order.paid_time is None or cancellation.status in (SUCCESS, DROPPED):
        return None
    return refund_of(order, cancellation.lines)


def _amounts(amount: Refund | Share, shipping_fee: int, currency: str) -> Document:
    return {
        "currency": currency,
        "refund_total": format_amount(amount.total),
        "refund_subtotal": format_amount(amount.sub_total),
        "refund_shipping_fee": format_amount(shipping_fee),
        "refund_tax": format_amount(amount.tax),
    }


def _put_shares(documents: list[Document], refund: Refund, currency: str) -> None:
    for document, share in zip(documents, refund.shares, strict=True):
        document["refund_amount"] = _amounts(share, 0, currency)


def _cancelled_line(line: LineItem) -> Document:
    return {"cancel_line_item_id": f"4{line.id[1:]}", **_line(line)}


def _returned_line(line: LineItem) -> Document:
    return {"return_line_item_id": f"4{line.id[1:]}", **_line(line)}


def _line(line: LineItem) -> Document:
    return {
        "order_line_item_id": line.id,
        "sku_id": line.sku.id,
        "sku_name": line.sku.name,
        "seller_sku": line.sku.seller_sku,
        "product_name": line.sku.product_name,
        "product_image": {"url": image_of(line.sku.product_id), "width": 200, "height": 200},
    }
