"""Signed webhook deliveries, for tests of your own receiver."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

import attrs

from .._internal.clock import SystemClock
from ..pipeline.arguments.values import plain
from ..spec.examples import Examples
from ..spec.shapes import webhook_shape
from ..webhooks import WebhookEvent, Webhooks
from .response_fields import find_unknown_field


@attrs.frozen(kw_only=True)
class SignedWebhook:
    """A signed request of the platform, to send with a test client."""

    body: bytes = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    notification_id: str


def signed_webhook(
    kind: type[WebhookEvent],
    data: Mapping[str, Any] | None = None,
    *,
    app_key: str,
    app_secret: str,
    shop_id: str = "7000714532876273420",
    notification_id: str | None = None,
    timestamp: int | None = None,
    unknown_fields: bool = False,
) -> SignedWebhook:
    """Return a signed delivery of an event with all its fields, as an example of the event.

    Args:
        kind: The class of the event, such as `OrderStatusChange`.
        data: Fields of the event's data that replace those of the example, by their API names.
        app_key: The key of the app that receives the event.
        app_secret: The secret that signs the delivery.
        shop_id: The id of the shop that the event belongs to.
        notification_id: The id of the notification; a unique one unless given.
        timestamp: The time of sending in Unix seconds, now unless given.
        unknown_fields: Whether ``data`` may have fields that the catalogue lacks.
    """
    event_type = _checked_type(kind)
    given = dict(data or {})
    if not unknown_fields:
        _check_fields(kind, event_type, given)
    shape = webhook_shape(event_type)
    notification_id = notification_id or _new_notification_id()
    envelope = {
        "type": event_type,
        "tts_notification_id": notification_id,
        "shop_id": shop_id,
        "timestamp": int(SystemClock().time()) if timestamp is None else timestamp,
        "data": plain(Examples(seed=shape["name"]).make_object(shape["data"]) | given, "data"),
    }
    body = json.dumps(envelope, separators=(",", ":")).encode()
    headers = {
        "Authorization": Webhooks(app_key, app_secret).sign(body),
        "Content-Type": "application/json",
    }
    return SignedWebhook(body=body, headers=headers, notification_id=notification_id)


def _checked_type(kind: type[WebhookEvent]) -> int:
    if not (isinstance(kind, type) and issubclass(kind, WebhookEvent)):
        raise TypeError(
            f"kind must be the class of an event such as OrderStatusChange, not {kind!r}."
        )
    if kind.TYPE is None:
        raise TypeError(f"kind must be the class of a known event type, not {kind.__name__}.")
    return kind.TYPE


def _check_fields(kind: type[WebhookEvent], event_type: int, data: Mapping[str, Any]) -> None:
    shape = webhook_shape(event_type)
    unknown = find_unknown_field({"type": "object", "fields": shape["data"]}, data)
    if unknown is not None:
        path, suggestion = unknown
        raise TypeError(
            f"{kind.__name__} has no {path!r}.{suggestion} "
            "For an intended field, pass unknown_fields=True."
        )


def _new_notification_id() -> str:
    return f"7{secrets.randbelow(10**18):018}"
