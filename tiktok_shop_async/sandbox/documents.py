"""Orders and cancellations as the API shows them, field by field as in the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .orders import PENDING, Buyer, Cancellation, LineItem, Order
from .rules import REASON_TEXTS
from .shop import Shop

Document = dict[str, Any]

SHIPPED = ("AWAITING_COLLECTION", "IN_TRANSIT", "DELIVERED", "COMPLETED")
_PACKAGE_STATUS = {
    "AWAITING_COLLECTION": "PROCESSING",
    "IN_TRANSIT": "FULFILLING",
    "DELIVERED": "COMPLETED",
    "COMPLETED": "COMPLETED",
    "CANCELLED": "CANCELLED",
}


def money(cents: int) -> str:
    """Return an amount as the API writes it."""
    return f"{cents // 100}.{cents % 100:02}"


def order_document(order: Order, shop: Shop) -> Document:
    """Return an order as in the list and in the detail."""
    document: Document = {
        "id": order.id,
        "user_id": order.buyer.user_id,
        "buyer_email": order.buyer.email,
        "buyer_message": order.buyer_message,
        "status": order.status,
        "create_time": order.create_time,
        "update_time": order.update_time,
        "commerce_platform": "TIKTOK_SHOP",
        "order_type": "NORMAL",
        "fulfillment_type": "FULFILLMENT_BY_SELLER",
        "shipping_type": order.shipping_type,
        "delivery_type": "HOME_DELIVERY",
        "delivery_option_name": "Standard shipping",
        "delivery_option_id": "7091146663229654785",
        "warehouse_id": shop.warehouse_id,
        "is_cod": False,
        "is_sample_order": False,
        "is_replacement_order": False,
        "is_exchange_order": False,
        "is_buyer_request_cancel": False,
        "is_on_hold_order": order.status == "ON_HOLD",
        "has_updated_recipient_address": False,
        "payment": _payment(order, shop.currency),
        "packages": [],
        "line_items": [_line_document(line, order, shop.currency) for line in order.lines],
    }
    if order.status != "UNPAID":
        document["payment_method_name"] = "Credit card"
    if order.status not in ("UNPAID", "ON_HOLD"):
        document["recipient_address"] = _address(order.buyer, shop.region)
    if order.status in SHIPPED:
        document["packages"] = [{"id": _package_id(order)}]
        document |= _shipment(order)
    if order.status == "CANCELLED":
        document |= _cancelled(order)
    return document


def order_documents(orders: Iterable[Order], shop: Shop) -> list[Document]:
    """Return many orders."""
    return [order_document(order, shop) for order in orders]


def cancellation_document(cancellation: Cancellation, shop: Shop, version: str) -> Document:
    """Return a cancellation as the search shows it."""
    document: Document = {
        "cancel_id": cancellation.id,
        "order_id": cancellation.order.id,
        "cancel_type": "CANCEL",
        "cancel_status": cancellation.status,
        "role": cancellation.role,
        "cancel_reason": cancellation.reason,
        "cancel_reason_text": REASON_TEXTS[cancellation.reason],
        "create_time": cancellation.create_time,
        "update_time": cancellation.update_time,
        "seller_next_action_response": [],
        "cancel_line_items": [
            _cancelled_line_document(cancellation, line, shop.currency)
            for line in cancellation.lines
        ],
    }
    if cancellation.paid:
        sub_total = sum(line.sku.price for line in cancellation.lines)
        whole = len(cancellation.lines) == len(cancellation.order.lines)
        document["refund_amount"] = _refund(
            sub_total,
            shipping_fee=cancellation.order.shipping_fee if whole else 0,
            tax=_share_of_tax(cancellation.order, sub_total),
            currency=shop.currency,
        )
    if version >= "202602":
        document["should_replenish_stock"] = cancellation.status != PENDING
    return document


def _payment(order: Order, currency: str) -> Document:
    sub_total, shipping_fee = money(order.sub_total), money(order.shipping_fee)
    return {
        "currency": currency,
        "sub_total": sub_total,
        "shipping_fee": shipping_fee,
        "seller_discount": "0.00",
        "platform_discount": "0.00",
        "tax": money(order.tax),
        "total_amount": money(order.sub_total + order.shipping_fee + order.tax),
        "original_total_product_price": sub_total,
        "original_shipping_fee": shipping_fee,
        "shipping_fee_seller_discount": "0.00",
        "shipping_fee_platform_discount": "0.00",
    }


def _address(buyer: Buyer, region: str) -> Document:
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
    price = money(line.sku.price)
    document: Document = {
        "id": line.id,
        "sku_id": line.sku.id,
        "sku_name": line.sku.name,
        "sku_type": "NORMAL",
        "seller_sku": line.sku.seller_sku,
        "product_id": line.sku.product_id,
        "product_name": line.sku.product_name,
        "sku_image": _image(line.sku.product_id),
        "currency": currency,
        "original_price": price,
        "sale_price": price,
        "seller_discount": "0.00",
        "platform_discount": "0.00",
        "is_gift": False,
        "display_status": _line_status(line, order),
        "package_status": _PACKAGE_STATUS.get(order.status, "TO_FULFILL"),
    }
    if order.status in SHIPPED:
        document |= {"package_id": _package_id(order)} | _shipment(order)
    if line.cancelled:
        assert line.cancellation is not None
        document["package_status"] = "CANCELLED"
        document["cancel_user"] = line.cancellation.role
        document["cancel_reason"] = REASON_TEXTS[line.cancellation.reason]
    return document


def _line_status(line: LineItem, order: Order) -> str:
    if line.cancelled:
        return "CANCELLED"
    return "AWAITING_SHIPMENT" if order.status == "ON_HOLD" else order.status


def _shipment(order: Order) -> Document:
    return {
        "shipping_provider_id": "6617675021119438849",
        "shipping_provider_name": "TT Virtual express",
        "tracking_number": f"JX{order.id[-12:]}",
    }


def _package_id(order: Order) -> str:
    return f"115{order.id[3:]}"


def _cancelled(order: Order) -> Document:
    cancellation = order.last_cancellation
    assert cancellation is not None
    return {
        "cancellation_initiator": cancellation.role,
        "cancel_reason": REASON_TEXTS[cancellation.reason],
        "cancel_time": cancellation.update_time,
        "request_cancel_time": cancellation.create_time,
    }


def _cancelled_line_document(cancellation: Cancellation, line: LineItem, currency: str) -> Document:
    document: Document = {
        "cancel_line_item_id": f"4{line.id[1:]}",
        "order_line_item_id": line.id,
        "sku_id": line.sku.id,
        "sku_name": line.sku.name,
        "seller_sku": line.sku.seller_sku,
        "product_name": line.sku.product_name,
        "product_image": {"url": _image(line.sku.product_id), "width": 200, "height": 200},
    }
    if cancellation.paid:
        tax = _share_of_tax(cancellation.order, line.sku.price)
        document["refund_amount"] = _refund(
            line.sku.price, shipping_fee=0, tax=tax, currency=currency
        )
    return document


def _share_of_tax(order: Order, sub_total: int) -> int:
    return round(order.tax * sub_total / order.sub_total)


def _refund(sub_total: int, *, shipping_fee: int, tax: int, currency: str) -> Document:
    return {
        "currency": currency,
        "refund_total": money(sub_total + shipping_fee + tax),
        "refund_subtotal": money(sub_total),
        "refund_shipping_fee": money(shipping_fee),
        "refund_tax": money(tax),
    }


def _image(product_id: str) -> str:
    return f"https://images.sandbox.example/{product_id}.webp"
