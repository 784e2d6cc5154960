"""A tracker of handled events, for tasks that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from ..._internal.waiting import await_cancellable, count_cancellations

POLL_INTERVAL = 1.0
"""Seconds between two queries for events that other processes handle."""

Outstanding = Callable[[], Awaitable[Collection[str]]]
"""A query that returns keys of events that are left, not necessarily all."""


class CompletionTracker:
    """A tracker that lets tasks wait until a store's events are handled or dead-lettered.

    Events that this process completes end the wait at once. Events that another process completes
    are found by a query.
    """

    def __init__(self) -> None:
        self._joins: dict[asyncio.Event, set[str]] = {}
        """The keys that were completed since the last query, for each waiting task."""

    def add(self, key: str) -> None:
        """Record that this process has completed an event."""
        for changed, completed in self._joins.items():
            completed.add(key)
            changed.set()

    async def join(self, snapshot: Callable[[], Awaitable[Outstanding]]) -> None:
        """Wait until no event is left.

        Args:
            snapshot: Returns a function that queries the store for events that are left.
        """
        before = count_cancellations()
        outstanding = await await_cancellable(snapshot(), before)
        changed, completed = asyncio.Event(), set[str]()
        self._joins[changed] = completed
        try:
            while keys := set(await await_cancellable(outstanding(), before)):
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL):
                        while not keys <= completed:
                            changed.clear()
                            await changed.wait()
                completed.clear()
        finally:
            del self._joins[changed]
