"""Names of changes: the same name for a webhook and for a change that a poller found."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .event import UnknownEvent, WebhookEvent

ORDER, CANCELLATION, RETURN = 1, 11, 12
"""Types of the events that a poller can find."""

_NAMING_FIELDS = {
    ORDER: ("order_id", "order_status", "update_time"),
    CANCELLATION: ("cancel_id", "cancel_status"),  # its webhook lacks the time of the change
    RETURN: ("return_id", "return_status", "update_time"),
}
_WEBHOOK_STATUS = {
    "CANCELLED": "CANCEL",
    "CANCELLATION_REQUEST_CANCEL": "CANCELLATION_REQUEST_CANCELLED",
}


def change_of(event: WebhookEvent) -> str | None:
    """Return the name of the change that an event reports; None if a field of it is missing."""
    if event.type not in _NAMING_FIELDS or event.shop_id is None or isinstance(event, UnknownEvent):
        return None
    values: list[Any] = [getattr(event.data, name) for name in _NAMING_FIELDS[event.type]]
    if None in values:
        return None
    values[1] = webhook_status(values[1])
    return "/".join(_quoted(each) for each in (event.type, event.shop_id, *values))


def webhook_status(status: str | None) -> str | None:
    """Return the status of an order or a cancellation as its webhook spells it."""
    return None if status is None else _WEBHOOK_STATUS.get(status, status)


def _quoted(value: object) -> str:
    return quote(str(value), safe="", errors="surrogatepass")


def sent(change: str) -> str:
    """Return the name under which a store remembers a change that a webhook reported."""
    return f"sent:{change}"


def polled(change: str) -> str:
    """Return the name under which a store remembers a change that a poller found.

    It is also the id of the poller's event.
    """
    return f"polled:{change}"
