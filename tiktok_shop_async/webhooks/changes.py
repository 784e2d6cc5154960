"""What has changed, by a name that a webhook and a poller's finding have in common."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .event import UnknownEvent, WebhookEvent

ORDER, CANCELLATION, RETURN = 1, 11, 12
"""Numbers of the events that a poller finds out about."""

_FACTS = {
    ORDER: ("order_id", "order_status", "update_time"),
    CANCELLATION: ("cancel_id", "cancel_status"),  # its webhook has no time of the change
    RETURN: ("return_id", "return_status", "update_time"),
}
_AS_WEBHOOKS_SPELL = {
    "CANCELLED": "CANCEL",
    "CANCELLATION_REQUEST_CANCEL": "CANCELLATION_REQUEST_CANCELLED",
}


def change_of(event: WebhookEvent) -> str | None:
    """Return a name for the change, the same whoever tells of it; None if it cannot be told."""
    if event.type not in _FACTS or event.shop_id is None or isinstance(event, UnknownEvent):
        return None
    facts: list[Any] = [getattr(event.data, name) for name in _FACTS[event.type]]
    if None in facts:
        return None
    facts[1] = as_webhooks_spell(facts[1])
    return "/".join(_quoted(each) for each in (event.type, event.shop_id, *facts))


def as_webhooks_spell(status: str | None) -> str | None:
    """Return an order's or a cancellation's status as its webhook has it."""
    return None if status is None else _AS_WEBHOOKS_SPELL.get(status, status)


def _quoted(fact: object) -> str:
    return quote(str(fact), safe="", errors="surrogatepass")


def sent(change: str) -> str:
    """Return the name under which a webhook's change is remembered."""
    return f"sent:{change}"


def polled(change: str) -> str:
    """Return the name under which a poller's finding is remembered; its event's id."""
    return f"polled:{change}"
