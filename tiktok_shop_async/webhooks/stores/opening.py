"""From what a receiver is given to a store."""

from __future__ import annotations

from os import PathLike

from ..._storage.sql.location import parse_location
from .base import WebhookStore
from .memory import MemoryWebhookStore


def open_store(place: WebhookStore | str | PathLike[str] | None) -> tuple[WebhookStore, bool]:
    """Return the store, and whether it was made here, so that it is to be closed.

    Without a place it is in memory; a path is that of a SQLite file.
    """
    if place is None:
        return MemoryWebhookStore(), True
    if not isinstance(place, str | PathLike):
        return place, False
    if isinstance(place, str) and place.startswith(("redis://", "rediss://", "unix://")):
        from .redis import RedisWebhookStore

        return RedisWebhookStore(place), True
    from .sql import SQLWebhookStore

    return SQLWebhookStore(parse_location(place)), True
