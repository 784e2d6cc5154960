"""Handlers that create, search, approve and reject cancellations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ...domain.entities.orders import Cancellation
from ...domain.market import Market
from ...domain.shop import Shop
from ...inputs.arguments import Arguments
from ..call import AdmittedCall, Data, Handler, shop_of
from ..call_values import in_lists, selection_of, within_times
from ..idempotent_replies import idempotent
from ..paging import page_of
from .aftersale_documents import cancel_type, cancellation_document


def cancel_order(call: AdmittedCall, _: Market) -> Data:
    """Cancel an order, or the selected part of it."""
    body = Arguments(call.body)
    cancellation = shop_of(call).cancellations.cancel(
        body.required_text("order_id"), body.required_text("cancel_reason"), selection_of(body)
    )
    data: Data = {"cancel_id": cancellation.id, "cancel_status": cancellation.status}
    return data if call.version >= "202602" else {**data, "success": True}


def search_cancellations(call: AdmittedCall, _: Market) -> Data:
    """Return a page of the cancellations that match all filters."""
    shop, body = shop_of(call), Arguments(call.body)
    getters: dict[str, Callable[[Cancellation], str]] = {
        "cancel_ids": lambda cancellation: cancellation.id,
        "order_ids": lambda cancellation: cancellation.order.id,
        "buyer_user_ids": lambda cancellation: cancellation.order.buyer.user_id,
        "cancel_types": cancel_type,
        "cancel_status": lambda cancellation: cancellation.status,
    }
    found = in_lists(_candidates(shop, body.texts("order_ids")), body, getters)
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
    """Approve a buyer's request."""
    shop_of(call).cancellations.approve(call.path_params["cancel_id"])
    return {}


@idempotent
def reject_cancellation(call: AdmittedCall, _: Market) -> Data:
    """Reject a buyer's request."""
    reason = Arguments(call.body).required_text("reject_reason")
    shop_of(call).cancellations.reject(call.path_params["cancel_id"], reason)
    return {}


CANCELLATION_HANDLERS: Mapping[str, Handler] = {
    "return_refund.approve_cancellation": approve_cancellation,
    "return_refund.cancel_order": cancel_order,
    "return_refund.reject_cancellation": reject_cancellation,
    "return_refund.search_cancellations": search_cancellations,
}
"""Operation -> its handler."""


def _candidates(shop: Shop, order_ids: Iterable[str]) -> Iterable[Cancellation]:
    """Return the cancellations of the given orders; without any, return all."""
    if not order_ids:
        return shop.cancellations.by_id.values()
    orders = shop.orders
    return [
        cancellation
        for order_id in dict.fromkeys(order_ids)
        if order_id in orders
        for cancellation in orders[order_id].cancellations
    ]
