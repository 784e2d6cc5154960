"""Handlers that change and return an app's webhook subscriptions to a shop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ...spec.shapes import operation_shape
from ..domain.market import Market
from ..domain.webhook_subscriptions import is_web_address
from ..error_responses import invalid
from ..inputs.arguments import Arguments
from .call import AdmittedCall, Data, Handler, shop_of

MAX_ADDRESS_LENGTH = 255


def get_shop_webhooks(call: AdmittedCall, market: Market) -> Data:
    """Return the app's subscriptions to the shop."""
    kept = market.subscriptions.of(call.token.app_key, shop_of(call).id).values()
    webhooks = [
        {
            "event_type": each.event_type,
            "address": each.address,
            "create_time": each.create_time,
            "update_time": each.update_time,
        }
        for each in kept
    ]
    return {"total_count": len(webhooks), "webhooks": webhooks}


def update_shop_webhook(call: AdmittedCall, market: Market) -> Data:
    """Subscribe to a type of event, or change the address."""
    shop, body = shop_of(call), Arguments(call.body)
    market.subscriptions.put(
        call.token.app_key, shop.id, _event_type(body), _address(body), shop.ledger.now()
    )
    return {}


def delete_shop_webhook(call: AdmittedCall, market: Market) -> Data:
    """Unsubscribe from a type of event."""
    body = Arguments(call.body)
    market.subscriptions.delete(call.token.app_key, shop_of(call).id, _event_type(body))
    return {}


WEBHOOK_HANDLERS: Mapping[str, Handler] = {
    "event.get_shop_webhooks": get_shop_webhooks,
    "event.update_shop_webhook": update_shop_webhook,
    "event.delete_shop_webhook": delete_shop_webhook,
}
"""Operation -> its handler."""


@cache
def _event_types() -> frozenset[str]:
    return frozenset(operation_shape("event.update_shop_webhook")["body"]["event_type"]["enum"])


def _event_type(body: Arguments) -> str:
    event_type = body.required_text("event_type")
    if event_type not in _event_types():
        raise invalid(f"The event_type {event_type} cannot be subscribed to.")
    return event_type


def _address(body: Arguments) -> str:
    """Return the address; unlike the platform, the sandbox accepts plain HTTP, ports and IPs."""
    address = body.required_text("address")
    if not is_web_address(address) or len(address) > MAX_ADDRESS_LENGTH:
        raise invalid(f"The address must be a URL of at most {MAX_ADDRESS_LENGTH} characters.")
    return address
