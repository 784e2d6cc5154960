"""Handlers that list and return orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..domain.entities.orders import Order
from ..domain.market import Market
from ..error_responses import invalid
from ..inputs.arguments import Arguments
from .call import AdmittedCall, Data, Handler, shop_of
from .call_values import within_times
from .order_documents import order_documents
from .paging import page_of

MAX_ORDERS_OF_DETAIL = 50


def get_order_list(call: AdmittedCall, _: Market) -> Data:
    """Return a page of the orders that match all filters."""
    shop, body = shop_of(call), Arguments(call.body)
    status, shipping_type = body.text("order_status"), body.text("shipping_type")
    buyer = body.text("buyer_user_id")
    warehouses = body.texts("warehouse_ids")
    cancel_requested = body.boolean("is_buyer_request_cancel")
    # One filter at a time, each over the rest: there may be 100,000 orders.
    found: Iterable[Order] = shop.orders.values()
    if status is not None:
        found = [order for order in found if order.status == status]
    if shipping_type is not None:
        found = [order for order in found if order.shipping_type == shipping_type]
    if buyer is not None:
        found = [order for order in found if order.buyer.user_id == buyer]
    if cancel_requested is not None:
        found = [order for order in found if (order.buyers_request is not None) == cancel_requested]
    if warehouses and shop.warehouse_id not in warehouses:  # the shop has only one
        found = []
    found = within_times(found, body)
    page = page_of(found, call, default_order="DESC")
    return {
        "orders": order_documents(page.items, shop),
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


def get_order_detail(call: AdmittedCall, _: Market) -> Data:
    """Return orders by id, without ids that the shop does not have."""
    shop = shop_of(call)
    ids = Arguments(call.query).joined_texts("ids")
    if len(ids) > MAX_ORDERS_OF_DETAIL:
        raise invalid(f"The parameter ids must have at most {MAX_ORDERS_OF_DETAIL} ids.")
    orders = shop.orders
    return {
        "orders": order_documents(
            (orders[order_id] for order_id in dict.fromkeys(ids) if order_id in orders), shop
        )
    }


ORDER_HANDLERS: Mapping[str, Handler] = {
    "order.get_order_detail": get_order_detail,
    "order.get_order_list": get_order_list,
}
"""Operation -> its handler."""
