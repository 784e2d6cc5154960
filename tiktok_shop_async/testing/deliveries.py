"""Deliveries as the platform sends them, for tests of your own receiver."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

import attrs

from ..pipeline.arguments.values import plain
from ..spec.examples import Examples
from ..spec.shapes import webhook_shape
from ..webhooks import WebhookEvent, Webhooks
from .response_fields import unknown_field


@attrs.frozen(kw_only=True)
class SignedWebhook:
    """A request of the platform's, to be sent by a test client."""

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
    """Return a delivery of an event with all its fields, made up except for those in ``data``.

    Each has a notification id that no other process gives out either, unless one is given.

    Args:
        kind: Its class, such as `OrderStatusChange`.
        data: Fields of the event's data, by their names in the API.
        timestamp: When it was sent, in Unix seconds; now unless given.
        unknown_fields: Whether ``data`` may have fields that the catalogue lacks.
    """
    if not (isinstance(kind, type) and issubclass(kind, WebhookEvent)):
        raise TypeError(
            f"kind must be the class of an event such as OrderStatusChange, not {kind!r}."
        )
    if kind.TYPE is None:
        raise TypeError(f"{kind.__name__} stands for no kind of event.")
    shape = webhook_shape(kind.TYPE)
    given = dict(data or {})
    unknown = unknown_field({"type": "object", "fields": shape["data"]}, given)
    if unknown and not unknown_fields:
        path, suggestion = unknown
        raise TypeError(
            f"{kind.__name__} has no {path!r}.{suggestion} "
            "If it is meant, pass unknown_fields=True."
        )
    notification_id = notification_id or _new_notification_id()
    envelope = {
        "type": kind.TYPE,
        "tts_notification_id": notification_id,
        "shop_id": shop_id,
        "timestamp": int(time.time()) if timestamp is None else timestamp,
        "data": plain(Examples(seed=shape["name"]).make_object(shape["data"]) | given, "data"),
    }
    body = json.dumps(envelope, separators=(",", ":")).encode()
    headers = {
        "Authorization": Webhooks(app_key, app_secret).sign(body),
        "Content-Type": "application/json",
    }
    return SignedWebhook(body=body, headers=headers, notification_id=notification_id)


def _new_notification_id() -> str:
    return f"7{secrets.randbelow(10**18):018}"
