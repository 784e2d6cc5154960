"""Events that the platform sends: verified, typed, acknowledged in time, handled once."""

from typing import TYPE_CHECKING

from .._lazy import lazy_exports

if TYPE_CHECKING:
    from .event import UnknownEvent, WebhookEvent
    from .stores.base import ClaimedEvent, DeadLetter, NewEvent, StoredCounts, WebhookStore

__all__ = [
    "ClaimedEvent",
    "DeadLetter",
    "NewEvent",
    "StoredCounts",
    "UnknownEvent",
    "WebhookEvent",
    "WebhookStore",
]

_, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ClaimedEvent": "stores.base",
        "DeadLetter": "stores.base",
        "NewEvent": "stores.base",
        "StoredCounts": "stores.base",
        "UnknownEvent": "event",
        "WebhookEvent": "event",
        "WebhookStore": "stores.base",
    },
)
