"""The base class of all events, and the class of events of an unknown type."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import attrs

from .._internal.lenient_json import load_document
from .._internal.personal_data import masked_fields, masked_repr
from ..errors import WebhookBodyError
from ..response import DecodingIssue


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """A decoded delivery; each type of event has its own class in `tiktok_shop_async.webhooks`.

    Source: https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview
    """

    TYPE: ClassVar[int | None] = None
    """The event's type number."""
    EVENT_TYPE: ClassVar[str | None] = None
    """The name in subscriptions of a shop; None if only Partner Center can subscribe to it."""

    id: str
    """The same in each delivery of the event: handle each id once."""
    type: int | None = None
    tts_notification_id: str | None = None
    """The platform's id of the notification; some types have none."""
    shop_id: str | None = None
    seller_open_id: str | None = None
    """In place of ``shop_id``, where the event is about a seller."""
    creator_open_id: str | None = None
    """In place of ``shop_id``, where the event is about a creator."""
    timestamp: int | None = None
    """When the event was first sent, in Unix seconds."""
    data: Any = attrs.field(repr=masked_repr)
    app_key: str | None = None
    """The app whose secret signed it; None if the signature was not checked."""
    issues: tuple[DecodingIssue, ...] = ()
    """Values that could not be coerced: their fields are None; ``json()`` has the values."""
    raw: bytes = attrs.field(repr=False, eq=False)
    """The body as it was received."""

    @property
    def sent_at(self) -> datetime | None:
        """When the event was first sent."""
        try:
            return None if self.timestamp is None else datetime.fromtimestamp(self.timestamp, UTC)
        except (OverflowError, OSError, ValueError):
            return None

    def json(self) -> Any:
        """Return the whole delivery as plain Python values, envelope included.

        Raises `WebhookBodyError` if it is nested too deeply for Python; ``raw`` has its bytes.
        """
        try:
            return load_document(self.raw)
        except RecursionError:
            problem = "the delivery's body is nested too deeply for Python."
        raise WebhookBodyError(problem, hint="`raw` has its bytes.")

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        return masked_fields(self)


@attrs.frozen(kw_only=True)
class UnknownEvent(WebhookEvent):
    """An event of a type for which this release has no class; ``data`` has plain values."""
