"""How cancellations are played: made, searched, approved and rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..arguments import Arguments
from ..domain.idempotency import idempotent
from ..domain.market import Market
from ..domain.orders.orders import Cancellation
from ..domain.shop import Shop
from ..http.gateway import AdmittedCall
from .aftersale_documents import cancel_type, cancellation_document
from .paging import page_of
from .reading import in_lists, selection_of, shop_of, within_times

Data = dict[str, Any]


def cancel_order(call: AdmittedCall, _: Market) -> Data:
    """Cancel an order, or the part of it that the body selects."""
    body = Arguments(call.body)
    cancellation = shop_of(call).cancel(
        body.required_text("order_id"), body.required_text("cancel_reason"), selection_of(body)
    )
    data: Data = {"cancel_id": cancellation.id, "cancel_status": cancellation.status}
    return data if call.version >= "202602" else {**data, "success": True}


def search_cancellations(call: AdmittedCall, _: Market) -> Data:
    """Answer with the cancellations that fit all filters, a page at a time."""
    shop, body = shop_of(call), Arguments(call.body)
    read: dict[str, Callable[[Cancellation], str]] = {
        "cancel_ids": lambda cancellation: cancellation.id,
        "order_ids": lambda cancellation: cancellation.order.id,
        "buyer_user_ids": lambda cancellation: cancellation.order.buyer.user_id,
        "cancel_types": cancel_type,
        "cancel_status": lambda cancellation: cancellation.status,
    }
    found = in_lists(_candidates(shop, body.texts("order_ids")), body, read)
    found = within_times(found, body)
    page = page_of(found, call, default_order="ASC")
    return {
        "cancellations": [
            cancellation_document(cancellation, shop, call.version) for cancellation in page.items
        ],
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


@idempotent
def approve_cancellation(call: AdmittedCall, _: Market) -> Data:
    """Let a buyer's request go through."""
    shop_of(call).approve_cancellation(call.path_params["cancel_id"])
    return {}


@idempotent
def reject_cancellation(call: AdmittedCall, _: Market) -> Data:
    """Refuse a buyer's request."""
    reason = Arguments(call.body).required_text("reject_reason")
    shop_of(call).reject_cancellation(call.path_params["cancel_id"], reason)
    return {}


CANCELLATION_PLAYS: Mapping[str, Callable[[AdmittedCall, Market], Data]] = {
    "return_refund.approve_cancellation": approve_cancellation,
    "return_refund.cancel_order": cancel_order,
    "return_refund.reject_cancellation": reject_cancellation,
    "return_refund.search_cancellations": search_cancellations,
}
"""Operation -> the function that plays it."""


def _candidates(shop: Shop, order_ids: Iterable[str]) -> Iterable[Cancellation]:
    """Return the cancellations to look at: those of the orders asked for, else all."""
    if not order_ids:
        return shop.cancellations.values()
    orders = shop.orders
    return [
        cancellation
        for order_id in dict.fromkeys(order_ids)
        if order_id in orders
        for cancellation in orders[order_id].cancellations
    ]
