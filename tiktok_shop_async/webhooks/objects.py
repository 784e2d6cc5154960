"""What an event is about, by which events are put in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import attrs

from ..errors import InvalidArgumentError
from .event import UnknownEvent, WebhookEvent

ENVELOPE = "timestamp"
"""In place of a field of ``data``: when the event was first sent."""
MAX_TIME = 2**53
"""Later times are no times; all stores keep earlier ones exactly."""

NO_SECONDS = 10**11
"""Later times are in milliseconds or microseconds: in seconds they are in the year 5138."""


@attrs.frozen
class _About:
    """The object of a kind of event."""

    kind: str
    """Kinds of events with the same kind of object are put in order together."""
    id: str
    """Path of the object's id in ``data``; of several ids the smallest counts."""
    changed_at: str | None = None
    """The time field, if a later event of the same kind makes an earlier one worthless: it reports
    a state of the object. None if each event reports something of its own, as a message does."""


_ABOUT: Mapping[int, _About] = {
    1: _About("order", "order_id", "update_time"),
    3: _About("order", "order_id", "update_time"),
    4: _About("order", "package_list.order_id_list"),
    5: _About("product", "product_id", "update_time"),
    11: _About("cancellation", "cancel_id", ENVELOPE),
    12: _About("return", "return_id", "update_time"),
    13: _About("conversation", "conversation_id"),
    14: _About("conversation", "conversation_id"),
    15: _About("product", "product_id"),
    16: _About("product", "product_id"),
    17: _About("content", "event.content_id"),
    18: _About("product", "product_id", "update_time"),
    19: _About("size_chart", "size_chart_template_id", "update_time"),
    21: _About("inbound_order", "inbound_order_id", "update_time"),
    23: _About("goods", "goods_id"),
    24: _About("goods", "goods_id"),
    25: _About("external_product", "external_product_id"),
    27: _About("sku", "sku_id", "update_time"),
    33: _About("conversation", "conversation_id"),
    35: _About("tokopedia_mirror", "tts_shop_id", "update_time"),
    36: _About("package", "package_id", ENVELOPE),
    37: _About("product", "product_id"),
    38: _About("product", "product_id"),
    39: _About("activity", "activity_id", "update_time"),
    42: _About("combined_listing", "combined_listing_id"),
    46: _About("image_translation", "translation_task.id", ENVELOPE),
    50: _About("product", "product_id"),
    51: _About("product", "source_product_id"),
    52: _About("global_product", "global_product_id"),
    55: _About("precheck", "precheck_task_id", ENVELOPE),
    56: _About("sample_application", "application_id", ENVELOPE),
    58: _About("mcf_order", "mcf_order.mcf_order_id", ENVELOPE),
    59: _About("precheck", "task_id"),
    62: _About("product", "product_id"),
    63: _About("activity", "activity_id"),
    64: _About("aftersales_request", "aftersales_request_id", "aftersales_request_update_time"),
    65: _About("rma", "rma_id", "rma_request_update_time"),
    66: _About("product", "product_id"),
    67: _About("rma", "rma_id"),
    71: _About("sku", "sku_id"),
}
"""By the number of the event. Events 6, 7, 20 and 22 are about an authorization or a seller."""


class Ordering:
    """Whether events are put in order, and outdated ones skipped."""

    def __init__(self, *, ordered: bool, skip_outdated: bool) -> None:
        """Validate the options of a receiver or a poller."""
        if skip_outdated and not ordered:
            raise InvalidArgumentError(
                "skip_outdated=True requires ordered=True.",
                argument="skip_outdated",
                hint="Without it two events of one object can be handled at once.",
            )
        self._ordered = ordered
        self._skip_outdated = skip_outdated

    def of(self, event: WebhookEvent) -> Mapping[str, Any]:
        """Return the fields of the `NewEvent` by which a store puts it in order."""
        name = object_of(event) if self._ordered else None
        if name is None:
            return {}
        time = changed_at(event) if self._skip_outdated else None
        if time is None:
            return {"object": name}
        return {"object": name, "state": f"{name}/{event.type}", "changed_at": time}


def object_of(event: WebhookEvent) -> str | None:
    """Return a name for the object that an event is about, the same in all its events.

    None if its kind has no object, or the id is missing.
    """
    about = _about(event)
    if about is None:
        return None
    ids = sorted(str(each) for each in _found(event.data, about.id.split(".")))
    if not ids:
        return None
    owner = event.shop_id or event.seller_open_id or event.creator_open_id or ""
    return "/".join(
        quote(part, safe="", errors="surrogatepass") for part in (owner, about.kind, ids[0])
    )


def changed_at(event: WebhookEvent) -> int | None:
    """Return when the state that an event reports has changed, in Unix seconds.

    None if it reports no state, or its time is none.
    """
    about = _about(event)
    if about is None or about.changed_at is None:
        return None
    source = event if about.changed_at == ENVELOPE else event.data
    time = getattr(source, about.changed_at, None)
    return _in_seconds(time) if isinstance(time, int) and 0 < time < MAX_TIME else None


def _in_seconds(time: int) -> int:
    while time >= NO_SECONDS:
        time //= 1000
    return time


def _about(event: WebhookEvent) -> _About | None:
    if event.type is None or isinstance(event, UnknownEvent):
        return None
    return _ABOUT.get(event.type)


def _found(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _found(each, path)
    elif path:
        yield from _found(getattr(value, path[0], None), path[1:])
    elif value is not None:
        yield value
