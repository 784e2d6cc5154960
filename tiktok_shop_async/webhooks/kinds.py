"""The classes of events by type; each is loaded when it is first needed."""

from __future__ import annotations

from functools import cache
from typing import Any, get_type_hints

from . import events
from .event import WebhookEvent


@cache
def event_class(number: int) -> type[WebhookEvent] | None:
    """Return the class of an event's type; None if this release has none."""
    name = events.CLASS_OF.get(number)
    return None if name is None else getattr(events, name)


def data_class(kind: type[WebhookEvent]) -> type[Any]:
    """Return the class of the ``data`` of an event class."""
    if kind not in _data_classes:
        _data_classes[kind] = get_type_hints(kind)["data"]
    return _data_classes[kind]


_data_classes: dict[type[WebhookEvent], type[Any]] = {}
