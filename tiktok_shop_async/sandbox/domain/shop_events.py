"""Events of a shop: one for each change, with the data of its webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from .entities.orders import Cancellation, Order
    from .entities.products import Product
    from .entities.returns import Return

ORDER_STATUS_CHANGE = 1
PACKAGE_UPDATE = 4
PRODUCT_STATUS_CHANGE = 5
SELLER_DEAUTHORIZATION = 6
UPCOMING_AUTHORIZATION_EXPIRATION = 7
CANCELLATION_STATUS_CHANGE = 11
RETURN_STATUS_CHANGE = 12
PRODUCT_INFORMATION_CHANGE = 15
PRODUCT_CREATION = 16
PRODUCT_CATEGORY_CHANGE = 18

_ORDER_STATUSES = {"CANCELLED": "CANCEL"}
_CANCEL_STATUSES = {"CANCELLATION_REQUEST_CANCEL": "CANCELLATION_REQUEST_CANCELLED"}
"""Statuses that webhooks spell differently from the API."""


@attrs.frozen
class Event:
    """An event that is ready to be delivered."""

    type: int
    shop_id: str
    """The shop's id; for some webhooks the open id of a seller or creator."""
    data: Mapping[str, Any]
    app_key: str | None = None
    """The only app to deliver it to; None for all."""


def ignore(_: object) -> None:
    """Do nothing: the default callback."""


def order_changed(order: Order, shop_id: str) -> Event:
    """Return the event of an order's new status."""
    return Event(
        ORDER_STATUS_CHANGE,
        shop_id,
        {
            "is_on_hold_order": order.status == "ON_HOLD",
            "order_id": order.id,
            "order_status": _ORDER_STATUSES.get(order.status, order.status),
            "update_time": order.update_time,
        },
    )


def cancellation_changed(cancellation: Cancellation, shop_id: str) -> Event:
    """Return the event of a cancellation's new status."""
    return Event(
        CANCELLATION_STATUS_CHANGE,
        shop_id,
        {
            "order_id": cancellation.order.id,
            "cancellations_role": cancellation.role,
            "cancel_status": _CANCEL_STATUSES.get(cancellation.status, cancellation.status),
            "cancel_id": cancellation.id,
            "create_time": cancellation.create_time,
        },
    )


def return_changed(request: Return, shop_id: str) -> Event:
    """Return the event of a new status of a return or refund."""
    return Event(
        RETURN_STATUS_CHANGE,
        shop_id,
        {
            "order_id": request.order.id,
            "return_role": request.role,
            "return_type": request.type,
            "return_status": request.status,
            "return_id": request.id,
            "create_time": request.create_time,
            "update_time": request.update_time,
        },
    )


def packages_changed(order: Order, shop_id: str, *, split: bool, now: float) -> Event:
    """Return the event of an order that its seller repacked."""
    packages = [
        {"package_id": package.id, "order_id_list": [order.id]}
        for package in order.packages
        if package.left
    ]
    return Event(
        PACKAGE_UPDATE,
        shop_id,
        {
            "sc_type": "SPLIT" if split else "CANCEL_SPLIT",
            "role_type": "ROLE_SELLER",
            "package_list": packages,
            "update_time": int(now),
        },
    )


def product_created(product: Product, shop_id: str) -> Event:
    """Return the event of a new product or draft."""
    return _product_event(PRODUCT_CREATION, product, shop_id, product_types=[])


def product_moved(product: Product, shop_id: str) -> Event:
    """Return the event of a product's new status; the webhook does not name the status."""
    return _product_event(
        PRODUCT_STATUS_CHANGE,
        product,
        shop_id,
        status="PRODUCT_STATUS_CHANGED",
        suspended_reason="",
    )


def images_changed(product: Product, shop_id: str) -> Event:
    """Return the event of a product's new images."""
    return _product_event(
        PRODUCT_INFORMATION_CHANGE,
        product,
        shop_id,
        change_source="OPEN_API",
        changed_fields=["main_images"],
    )


def category_changed(product: Product, shop_id: str, before: str) -> Event:
    """Return the event of a product's new category."""
    return _product_event(
        PRODUCT_CATEGORY_CHANGE,
        product,
        shop_id,
        previous_category_id=before,
        current_category_id=product.category_id,
    )


def _product_event(event_type: int, product: Product, shop_id: str, **data: Any) -> Event:
    # These two webhooks have the id as a number.
    number = event_type in (PRODUCT_STATUS_CHANGE, PRODUCT_CREATION)
    product_id = int(product.id) if number else product.id
    data |= {"product_id": product_id, "update_time": product.update_time}
    return Event(event_type, shop_id, data)
