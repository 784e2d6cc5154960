"""Work that is done once, however many ask for it at the same time."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine
from typing import Any


class SingleFlight:
    """Runs one task at a time; whoever asks meanwhile waits for that one.

    A caller that is cancelled does not stop the work, and an error is every caller's own copy.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Return the task that does it, which nobody needs to wait for."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(work())
            self._task.add_done_callback(_retrieve_error)
        return self._task

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have it done, and raise what it raised."""
        task = self.start(work)
        await asyncio.wait([task])
        error = task.exception()
        if error is not None:
            raise copy.copy(error) from error

    async def settle(self) -> None:
        """Wait for what is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])


def _retrieve_error(task: asyncio.Task[None]) -> None:
    """Keep asyncio from reporting an error that nobody waits for."""
    if not task.cancelled():
        task.exception()
