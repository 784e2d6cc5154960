"""What all events have in common, and the event that this release does not know."""

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
    """A delivery of the platform, decoded; each kind has its class in `tiktok_shop_async.webhooks`.

    Source: https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview
    """

    TYPE: ClassVar[int | None] = None
    """The number that the class stands for."""
    EVENT_TYPE: ClassVar[str | None] = None
    """The name by which a shop subscribes to it; None if only Partner Center can."""

    id: str
    """Stays the same when the event is delivered again: handle each id once."""
    type: int | None = None
    tts_notification_id: str | None = None
    """The platform's id of the notification; some kinds have none."""
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
    """What could not be coerced; its fields are None, and the values are still in ``json()``."""
    raw: bytes = attrs.field(repr=False, eq=False)
    """Body as it came."""

    @property
    def sent_at(self) -> datetime | None:
        """When the event was first sent."""
        try:
            return None if self.timestamp is None else datetime.fromtimestamp(self.timestamp, UTC)
        except (OverflowError, OSError, ValueError):
            return None

    def json(self) -> Any:
        """Return the whole delivery as plain Python values, envelope included.

        `WebhookBodyError` if it is nested too deeply for Python; ``raw`` has it.
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
    """An event of a kind that this release has no class for; ``data`` is plain values."""
