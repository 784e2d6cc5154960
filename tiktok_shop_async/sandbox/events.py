"""What the shop tells the world: an event for each change, as its webhook's data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from .orders import Cancellation, Order
    from .returns import Return

ORDER_STATUS_CHANGE = 1
SELLER_DEAUTHORIZATION = 6
CANCELLATION_STATUS_CHANGE = 11
RETURN_STATUS_CHANGE = 12

_ORDER_STATUSES = {"CANCELLED": "CANCEL"}
_CANCEL_STATUSES = {"CANCELLATION_REQUEST_CANCEL": "CANCELLATION_REQUEST_CANCELLED"}
"""Names that webhooks spell otherwise than the API does."""


@attrs.frozen
class Event:
    """Something that happened, ready to be sent."""

    type: int
    shop_id: str
    """The shop's id, or the open id of a seller or creator where the webhook names one instead."""
    data: Mapping[str, Any]
    app_key: str | None = None
    """The only app that it concerns; None for all."""


def ignore(_: object) -> None:
    """Tell nobody."""


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
