"""Waiting until events are handled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from ..._internal.waiting import await_cancellable, count_cancellations

LOOK_EVERY = 1.0
"""Seconds between two queries for events that other processes handle."""

Outstanding = Callable[[], Awaitable[Collection[str]]]
"""Returns keys of events that are left, not necessarily all."""


class Completions:
    """Lets tasks wait until the events of a store are handled or are dead letters.

    Events that this process completes end the wait at once. Those that another process completes
    are noticed by a query.
    """

    def __init__(self) -> None:
        self._joins: dict[asyncio.Event, set[str]] = {}
        """The keys that were completed since the last query, for each task that waits."""

    def add(self, key: str) -> None:
        """Note that this process has taken an event out of the store."""
        for news, completed in self._joins.items():
            completed.add(key)
            news.set()

    async def join(self, snapshot: Callable[[], Awaitable[Outstanding]]) -> None:
        """Return when no event is left.

        Args:
            snapshot: Returns a function that queries the store for events that are left.
        """
        before = count_cancellations()
        outstanding = await await_cancellable(snapshot(), before)
        news, completed = asyncio.Event(), set[str]()
        self._joins[news] = completed
        try:
            while keys := set(await await_cancellable(outstanding(), before)):
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        while not keys <= completed:
                            news.clear()
                            await news.wait()
                completed.clear()
        finally:
            del self._joins[news]
