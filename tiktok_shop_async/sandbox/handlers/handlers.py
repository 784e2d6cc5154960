"""The operations that the sandbox plays, each as a function from a call to its answer's data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..arguments import Arguments
from ..domain.market import Market
from ..domain.orders.orders import Order
from ..error_responses import invalid
from ..http.gateway import AdmittedCall
from .aftersales import AFTERSALE_PLAYS
from .cancellations import CANCELLATION_PLAYS
from .images import describe_image
from .listings import LISTING_PLAYS
from .order_documents import order_documents
from .package_handlers import PACKAGE_PLAYS
from .paging import page_of
from .product_handlers import PRODUCT_PLAYS
from .reading import shop_of, within_times
from .return_handlers import RETURN_PLAYS
from .stub_responses import made_up_answer
from .webhook_handlers import WEBHOOK_PLAYS

Data = dict[str, Any]
Play = Callable[[AdmittedCall, Market], Data]

MOST_ORDERS_AT_ONCE = 50


def play(call: AdmittedCall, market: Market) -> Data:
    """Carry a call out and return the ``data`` of its answer."""
    found = PLAYS.get(call.operation.id)
    return found(call, market) if found else made_up_answer(call, market.seed)


def get_authorized_shops(call: AdmittedCall, market: Market) -> Data:
    """Answer with the shops that the token's authorization covers."""
    return {
        "shops": [
            {
                "id": shop.id,
                "name": shop.name,
                "region": shop.region,
                "seller_type": shop.seller_type,
                "cipher": shop.cipher,
                "code": shop.code,
            }
            for shop in market.shops_of(call.token)
        ]
    }


def get_order_list(call: AdmittedCall, _: Market) -> Data:
    """Answer with the orders that fit all filters, a page at a time."""
    shop, body = shop_of(call), Arguments(call.body)
    status, shipping_type = body.text("order_status"), body.text("shipping_type")
    buyer = body.text("buyer_user_id")
    warehouses = body.texts("warehouse_ids")
    asked = body.boolean("is_buyer_request_cancel")
    # One filter after the other, each over what is left: there may be 100,000 orders.
    found: Iterable[Order] = shop.orders.values()
    if status is not None:
        found = [order for order in found if order.status == status]
    if shipping_type is not None:
        found = [order for order in found if order.shipping_type == shipping_type]
    if buyer is not None:
        found = [order for order in found if order.buyer.user_id == buyer]
    if asked is not None:
        found = [order for order in found if (order.buyers_request is not None) == asked]
    if warehouses and shop.warehouse_id not in warehouses:  # all orders leave from one
        found = []
    found = within_times(found, body)
    page = page_of(found, call, default_order="DESC")
    return {
        "orders": order_documents(page.items, shop),
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


def get_order_detail(call: AdmittedCall, _: Market) -> Data:
    """Answer with orders by id, leaving out those that the shop does not have."""
    shop = shop_of(call)
    ids = Arguments(call.query).joined_texts("ids")
    if len(ids) > MOST_ORDERS_AT_ONCE:
        raise invalid(f"The parameter ids takes at most {MOST_ORDERS_AT_ONCE} ids.")
    orders = shop.orders
    return {
        "orders": order_documents(
            (orders[order_id] for order_id in dict.fromkeys(ids) if order_id in orders), shop
        )
    }


def upload_product_image(call: AdmittedCall, _: Market) -> Data:
    """Take a picture in, and say where it is."""
    file = call.files.get("data")
    if file is None:
        raise invalid("The parameter data must be a file.")
    return describe_image(file, Arguments(call.body).text("use_case") or "MAIN_IMAGE")


PLAYS: Mapping[str, Play] = {
    **PRODUCT_PLAYS,
    **LISTING_PLAYS,
    "authorization.get_authorized_shops": get_authorized_shops,
    "order.get_order_list": get_order_list,
    "order.get_order_detail": get_order_detail,
    "product.upload_product_image": upload_product_image,
    **CANCELLATION_PLAYS,
    **AFTERSALE_PLAYS,
    **RETURN_PLAYS,
    **PACKAGE_PLAYS,
    **WEBHOOK_PLAYS,
}
"""Operation -> the function that plays it."""
