"""Arguments that the sandbox's shop takes, for each operation that it plays."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.scenarios import DAMAGED, DAMAGED_SAYS_SELLER, NO_NEED, PACKED, SENT_BACK, UNCLEAR
from sandbox.wire import PAID, new_product

from tiktok_shop_async.sandbox import Shop
from tiktok_shop_async.sandbox.domain.entities.orders import Order
from tiktok_shop_async.sandbox.domain.entities.products import Product

PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 800, 600) + b"\r\n"


def waiting(shop: Shop) -> Order:
    """Return an order that awaits shipment, with a package of its own."""
    return next(order for order in shop.orders.values() if order.status == "AWAITING_SHIPMENT")


def delivered(shop: Shop) -> Order:
    order = waiting(shop)
    shop.ship(order.id)
    shop.collect(order.id)
    shop.deliver(order.id)
    return order


def cancel_request(shop: Shop) -> str:
    """Return the id of a buyer's request to cancel."""
    order = waiting(shop)
    shop.request_cancellation(order.id, NO_NEED)
    return order.cancellations[0].id


def refund_request(shop: Shop) -> str:
    return shop.request_return(delivered(shop).id, DAMAGED).id


def return_request(shop: Shop) -> str:
    request = shop.request_return(delivered(shop).id, SENT_BACK, return_type="RETURN_AND_REFUND")
    return request.id


def on_its_way(shop: Shop) -> Order:
    order = waiting(shop)
    shop.ship(order.id)
    shop.collect(order.id)
    return order


def product(shop: Shop) -> Product:
    return next(iter(shop.stock.products.values()))


def deleted_product(shop: Shop) -> Product:
    found = product(shop)
    found.status = "DELETED"
    return found


def new_price(shop: Shop) -> dict[str, Any]:
    found = product(shop)
    price = {"amount": "12.50", "currency": "USD"}
    return {"product_id": found.id, "skus": [{"id": next(iter(found.skus)), "price": price}]}


def new_quantity(shop: Shop) -> dict[str, Any]:
    found = product(shop)
    sku = {"id": next(iter(found.skus)), "inventory": [{"quantity": 7}]}
    return {"product_id": found.id, "skus": [sku]}


def tracked(shop: Shop, version: str) -> dict[str, Any]:
    order = waiting(shop)
    tracking = {"tracking_number": "1Z9", "shipping_provider_id": "7"}
    line_id = order.lines[0].id
    if version < "202610":
        return {"order_id": order.id, "order_line_item_ids": [line_id], **tracking}
    lines = [{"order_line_id": line_id}]
    return {"order_id": order.id, "order_line_list": lines, "shipping_info_list": [tracking]}


def new_package(shop: Shop, version: str) -> dict[str, Any]:
    return {"order_id": waiting(shop).id} | ({"ship_type": "1"} if version >= "202512" else {})


def refund(shop: Shop) -> dict[str, Any]:
    return {"order_id": delivered(shop).id, "request_type": "REFUND", "reason_name": DAMAGED}


def asked_for_by_seller(shop: Shop) -> dict[str, Any]:
    return {
        "order_id": delivered(shop).id,
        "return_reason": DAMAGED_SAYS_SELLER,
        "return_type": "REFUND",
    }


def rejection(shop: Shop) -> dict[str, Any]:
    request_id = refund_request(shop)
    return {"return_id": request_id, "decision": "REJECT_REFUND", "reject_reason": UNCLEAR}


def subscription(_: Shop) -> dict[str, Any]:
    return {"event_type": "ORDER_STATUS_CHANGE", "address": "http://app.example/hook"}


VALID_CALLS: Mapping[str, Callable[[Shop, str], dict[str, Any]]] = {
    "authorization.get_authorized_shops": lambda shop, _: {},
    "event.delete_shop_webhook": lambda shop, _: {"event_type": "ORDER_STATUS_CHANGE"},
    "event.get_shop_webhooks": lambda shop, _: {},
    "event.update_shop_webhook": lambda shop, _: subscription(shop),
    "fulfillment.batch_ship_packages": lambda shop, _: {
        "packages": [{"id": waiting(shop).packages[0].id}]
    },
    "fulfillment.create_packages": new_package,
    "fulfillment.get_package_detail": lambda shop, _: {"package_id": waiting(shop).packages[0].id},
    "fulfillment.mark_package_as_shipped": tracked,
    "fulfillment.search_packages": lambda shop, _: {"page_size": 2},
    "fulfillment.ship_package": lambda shop, _: {"package_id": waiting(shop).packages[0].id},
    "fulfillment.update_package_delivery_status": lambda shop, _: {
        "packages": [
            {"id": on_its_way(shop).packages[0].id, "delivery_type": "DELIVERY_SUCCESS"},
            {"id": "1", "delivery_type": "DELIVERY_SUCCESS"},
        ]
    },
    "order.get_order_detail": lambda shop, _: {"ids": list(shop.orders)[:5]},
    "order.get_order_list": lambda shop, _: {"page_size": 20},
    "product.activate_products": lambda shop, _: {"product_ids": [product(shop).id, "1"]},
    "product.create_product": lambda shop, _: new_product(shop),
    "product.deactivate_products": lambda shop, _: {"product_ids": [product(shop).id, "1"]},
    "product.delete_products": lambda shop, _: {"product_ids": [product(shop).id, "1"]},
    "product.edit_product": lambda shop, _: {
        "product_id": product(shop).id,
        **new_product(shop),
    },
    "product.get_product": lambda shop, _: {"product_id": product(shop).id},
    "product.partial_edit_product": lambda shop, _: {
        "product_id": product(shop).id,
        "title": "Another title",
    },
    "product.recover_products": lambda shop, _: {"product_ids": [deleted_product(shop).id, "1"]},
    "product.search_inventory": lambda shop, _: {"product_ids": [product(shop).id]},
    "product.search_products": lambda shop, _: {"page_size": 3},
    "product.update_inventory": lambda shop, _: new_quantity(shop),
    "product.update_price": lambda shop, _: new_price(shop),
    "product.upload_product_image": lambda shop, _: {"data": PICTURE},
    "return_refund.approve_cancellation": lambda shop, _: {"cancel_id": cancel_request(shop)},
    "return_refund.approve_return": lambda shop, _: {
        "return_id": refund_request(shop),
        "decision": "APPROVE_REFUND",
    },
    "return_refund.calculate_refund": lambda shop, _: refund(shop),
    "return_refund.cancel_order": lambda shop, _: {
        "order_id": waiting(shop).id,
        "cancel_reason": PAID,
    },
    "return_refund.create_return": lambda shop, _: asked_for_by_seller(shop),
    "return_refund.get_aftersale_eligibility": lambda shop, _: {"order_id": delivered(shop).id},
    "return_refund.get_decision_eligibility": lambda shop, _: {
        "return_or_cancel_id": return_request(shop)
    },
    "return_refund.get_reject_reasons": lambda shop, _: {
        "return_or_cancel_id": refund_request(shop)
    },
    "return_refund.get_return_records": lambda shop, _: {"return_id": return_request(shop)},
    "return_refund.reject_cancellation": lambda shop, _: {
        "cancel_id": cancel_request(shop),
        "reject_reason": PACKED,
    },
    "return_refund.reject_return": lambda shop, _: rejection(shop),
    "return_refund.search_cancellations": lambda shop, _: (
        {"page_size": 2} if cancel_request(shop) else {}
    ),
    "return_refund.search_returns": lambda shop, _: (
        {"page_size": 10} if return_request(shop) else {}
    ),
}
"""Operation -> what to call it with; what must be there for it is done to the shop before."""
