"""Orders as response data, with the fields of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..domain.aftersales.reasons import TEXTS
from ..domain.entities import lifecycle, packages
from ..domain.entities.orders import Buyer, LineItem, Order
from ..domain.entities.packages import PROVIDER_NAME, Package
from ..domain.shop import Shop
from ..inputs.amounts import format_amount

Document = dict[str, Any]


_SAME_FOR_ALL_ORDERS: Mapping[str, str | bool] = {
    "commerce_platform": "TIKTOK_SHOP",
    "order_type": "NORMAL",
    "fulfillment_type": "FULFILLMENT_BY_SELLER",
    "delivery_type": "HOME_DELIVERY",
    "delivery_option_name": "Standard shipping",
    "delivery_option_id": "7091146663229654785",
    "is_cod": False,
    "is_sample_order": False,
    "is_replacement_order": False,
    "is_exchange_order": False,
    "has_updated_recipient_address": False,
}


def order_document(order: Order, shop: Shop) -> Document:
    """Return an order as in the list and in the details."""
    document: Document = {
        **_SAME_FOR_ALL_ORDERS,
        "id": order.id,
        "user_id": order.buyer.user_id,
        "buyer_email": order.buyer.email,
        "buyer_message": order.buyer_message,
        "status": order.status,
        "create_time": order.create_time,
        "update_time": order.update_time,
        "shipping_type": order.shipping_type,
        "warehouse_id": shop.warehouse_id,
        "is_buyer_request_cancel": order.buyers_request is not None,
        "is_on_hold_order": order.status == "ON_HOLD",
        "payment": _payment(order, shop.currency),
        "packages": [{"id": package.id} for package in order.packages],
        "line_items": [_line_document(line, order, shop.currency) for line in order.lines],
    }
    if order.paid_time is not None:
        document["payment_method_name"] = "Credit card"
        document["paid_time"] = order.paid_time
    if order.status not in ("UNPAID", "ON_HOLD"):
        document["recipient_address"] = address_document(order.buyer, shop.settings.region)
    if order.status in lifecycle.SHIPPED and order.packages:
        document |= _shipment(order.packages[-1])
        document["shipping_provider"] = document.pop("shipping_provider_name")
    if order.buyers_request is not None:
        document["request_cancel_time"] = order.buyers_request.create_time
    if order.status == "CANCELLED":
        document |= _cancelled(order)
    return document


def order_documents(orders: Iterable[Order], shop: Shop) -> list[Document]:
    """Return orders as in the list and in the details."""
    return [order_document(order, shop) for order in orders]


def _payment(order: Order, currency: str) -> Document:
    sub_total, shipping_fee = format_amount(order.sub_total), format_amount(order.shipping_fee)
    return {
        "currency": currency,
        "sub_total": sub_total,
        "shipping_fee": shipping_fee,
        "seller_discount": "0.00",
        "platform_discount": "0.00",
        "tax": format_amount(order.tax),
        "total_amount": format_amount(order.sub_total + order.shipping_fee + order.tax),
        "original_total_product_price": sub_total,
        "original_shipping_fee": shipping_fee,
        "shipping_fee_seller_discount": "0.00",
        "shipping_fee_platform_discount": "0.00",
    }


def address_document(buyer: Buyer, region: str) -> Document:
    """Return the shipping address of a buyer."""
    name = f"{buyer.first_name} {buyer.last_name}"
    return {
        "name": name,
        "first_name": buyer.first_name,
        "last_name": buyer.last_name,
        "phone_number": buyer.phone_number,
        "region_code": region,
        "postal_code": buyer.postal_code,
        "address_line1": buyer.address_line,
        "address_detail": buyer.address_line,
        "full_address": f"{buyer.address_line}, {buyer.city} {buyer.postal_code}, {region}",
        "district_info": [
            {"address_level": "L0", "address_level_name": "Country", "address_name": region},
            {"address_level": "L3", "address_level_name": "City", "address_name": buyer.city},
        ],
    }


def _line_document(line: LineItem, order: Order, currency: str) -> Document:
    price = format_amount(line.sku.price)
    document: Document = {
        "id": line.id,
        "sku_id": line.sku.id,
        "sku_name": line.sku.name,
        "sku_type": "NORMAL",
        "seller_sku": line.sku.seller_sku,
        "product_id": line.sku.product_id,
        "product_name": line.sku.product_name,
        "sku_image": image_of(line.sku.product_id),
        "currency": currency,
        "original_price": price,
        "sale_price": price,
        "seller_discount": "0.00",
        "platform_discount": "0.00",
        "is_gift": False,
        "display_status": lifecycle.line_status(line, order),
        "package_status": line.package.status if line.package else packages.TO_FULFILL,
    }
    if line.package is not None:
        document["package_id"] = line.package.id
        if line.package.tracking_number:
            document |= _shipment(line.package)
    if line.cancelled:
        assert line.cancellation is not None
        document["package_status"] = packages.CANCELLED
        document["cancel_user"] = line.cancellation.role
        document["cancel_reason"] = TEXTS[line.cancellation.reason]
    return document


def _shipment(package: Package) -> Document:
    return {
        "shipping_provider_id": package.provider_id,
        "shipping_provider_name": PROVIDER_NAME,
        "tracking_number": package.tracking_number,
    }


def _cancelled(order: Order) -> Document:
    cancellation = order.last_cancellation
    assert cancellation is not None
    return {
        "cancellation_initiator": cancellation.role,
        "cancel_reason": TEXTS[cancellation.reason],
        "cancel_time": cancellation.update_time,
        "request_cancel_time": cancellation.create_time,
    }


def image_of(product_id: str) -> str:
    """Return the URL of a product's image."""
    return f"https://images.sandbox.example/{product_id}.webp"
