"""The object of an event, such as an order, by which events are handled in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import attrs

from ..errors import InvalidArgumentError
from .event import UnknownEvent, WebhookEvent

ENVELOPE_TIME = "timestamp"
"""A field of the envelope rather than of ``data``: when the event was first sent."""
MAX_TIME = 2**53
"""Larger numbers are not taken for times; all stores keep smaller ones exactly."""

MAX_SECONDS = 10**11
"""Larger numbers are milliseconds or microseconds: in seconds this is the year 5138."""


@attrs.frozen
class _Fields:
    """The fields that identify the object of a type of event."""

    kind: str
    """Events of all types with the same kind of object are handled in order."""
    id: str
    """The path of the object's id in ``data``; of several ids the smallest is used."""
    changed_at: str | None = None
    """The field with the time of the change, if the event reports a state of the object, so that a
    later event of the same type replaces it. None if each event has to be handled, such as a
    message."""


_OBJECT_FIELDS: Mapping[int, _Fields] = {
    1: _Fields("order", "order_id", "update_time"),
    3: _Fields("order", "order_id", "update_time"),
    4: _Fields("order", "package_list.order_id_list"),
    5: _Fields("product", "product_id", "update_time"),
    11: _Fields("cancellation", "cancel_id", ENVELOPE_TIME),
    12: _Fields("return", "return_id", "update_time"),
    13: _Fields("conversation", "conversation_id"),
    14: _Fields("conversation", "conversation_id"),
    15: _Fields("product", "product_id"),
    16: _Fields("product", "product_id"),
    17: _Fields("content", "event.content_id"),
    18: _Fields("product", "product_id", "update_time"),
    19: _Fields("size_chart", "size_chart_template_id", "update_time"),
    21: _Fields("inbound_order", "inbound_order_id", "update_time"),
    23: _Fields("goods", "goods_id"),
    24: _Fields("goods", "goods_id"),
    25: _Fields("external_product", "external_product_id"),
    27: _Fields("sku", "sku_id", "update_time"),
    33: _Fields("conversation", "conversation_id"),
    35: _Fields("tokopedia_mirror", "tts_shop_id", "update_time"),
    36: _Fields("package", "package_id", ENVELOPE_TIME),
    37: _Fields("product", "product_id"),
    38: _Fields("product", "product_id"),
    39: _Fields("activity", "activity_id", "update_time"),
    42: _Fields("combined_listing", "combined_listing_id"),
    46: _Fields("image_translation", "translation_task.id", ENVELOPE_TIME),
    50: _Fields("product", "product_id"),
    51: _Fields("product", "source_product_id"),
    52: _Fields("global_product", "global_product_id"),
    55: _Fields("precheck", "precheck_task_id", ENVELOPE_TIME),
    56: _Fields("sample_application", "application_id", ENVELOPE_TIME),
    58: _Fields("mcf_order", "mcf_order.mcf_order_id", ENVELOPE_TIME),
    59: _Fields("precheck", "task_id"),
    62: _Fields("product", "product_id"),
    63: _Fields("activity", "activity_id"),
    64: _Fields("aftersales_request", "aftersales_request_id", "aftersales_request_update_time"),
    65: _Fields("rma", "rma_id", "rma_request_update_time"),
    66: _Fields("product", "product_id"),
    67: _Fields("rma", "rma_id"),
    71: _Fields("sku", "sku_id"),
}
"""By event type. Events 6, 7, 20 and 22 have no object: they are about an authorization or a
seller."""


class Ordering:
    """The options of a receiver or a poller for handling events in order."""

    def __init__(self, *, ordered: bool, skip_outdated: bool) -> None:
        """Validate the options of a receiver or a poller."""
        if skip_outdated and not ordered:
            raise InvalidArgumentError(
                "skip_outdated=True requires ordered=True.",
                argument="skip_outdated",
                hint="Without it, two events of one object can be handled at the same time.",
            )
        self._ordered = ordered
        self._skip_outdated = skip_outdated

    def of(self, event: WebhookEvent) -> Mapping[str, Any]:
        """Return the fields of a `NewEvent` by which a store keeps the order."""
        name = object_of(event) if self._ordered else None
        if name is None:
            return {}
        time = changed_at(event) if self._skip_outdated else None
        if time is None:
            return {"object": name}
        return {"object": name, "state": f"{name}/{event.type}", "changed_at": time}


def object_of(event: WebhookEvent) -> str | None:
    """Return the name of an event's object, the same for all events of the object.

    None if events of this type have no object, or the id is missing.
    """
    fields = _fields_of(event)
    if fields is None:
        return None
    ids = sorted(str(each) for each in _found(event.data, fields.id.split(".")))
    if not ids:
        return None
    owner = event.shop_id or event.seller_open_id or event.creator_open_id or ""
    return "/".join(
        quote(part, safe="", errors="surrogatepass") for part in (owner, fields.kind, ids[0])
    )


def changed_at(event: WebhookEvent) -> int | None:
    """Return when the state that an event reports has changed, in Unix seconds.

    None if the event reports no state, or its time is missing or out of range.
    """
    fields = _fields_of(event)
    if fields is None or fields.changed_at is None:
        return None
    source = event if fields.changed_at == ENVELOPE_TIME else event.data
    time = getattr(source, fields.changed_at, None)
    return _in_seconds(time) if isinstance(time, int) and 0 < time < MAX_TIME else None


def _in_seconds(time: int) -> int:
    while time >= MAX_SECONDS:
        time //= 1000
    return time


def _fields_of(event: WebhookEvent) -> _Fields | None:
    if event.type is None or isinstance(event, UnknownEvent):
        return None
    return _OBJECT_FIELDS.get(event.type)


def _found(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _found(each, path)
    elif path:
        yield from _found(getattr(value, path[0], None), path[1:])
    elif value is not None:
        yield value
