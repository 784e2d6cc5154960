"""The store that a receiver's ``store`` argument stands for."""

from __future__ import annotations

from os import PathLike

from ..._internal.clock import Clock, SystemClock
from ..._storage.sql.location import parse_location
from .base import WebhookStore
from .memory import MemoryWebhookStore


def open_store(
    location: WebhookStore | str | PathLike[str] | None, clock: Clock | None = None
) -> tuple[WebhookStore, bool]:
    """Return a store, and whether it was created here and so has to be closed.

    Args:
        location: A store, a URL or the path of a SQLite file; None for a store in memory.
        clock: The clock of a store in memory; the system's by default.
    """
    if location is None:
        return MemoryWebhookStore(clock=clock or SystemClock()), True
    if not isinstance(location, str | PathLike):
        return location, False
    if isinstance(location, str) and location.startswith(("redis://", "rediss://", "unix://")):
        from .redis import RedisWebhookStore

        return RedisWebhookStore(location), True
    from .sql import SQLWebhookStore

    return SQLWebhookStore(parse_location(location)), True
