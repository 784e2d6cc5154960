"""Work that is done once, however many ask for it at the same time."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from ..errors import TikTokShopError
from .events import logger

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class SingleFlight:
    """Runs one task at a time; whoever asks meanwhile waits for that one.

    A caller that is cancelled does not stop the work, and an error is every caller's own copy.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Work) -> asyncio.Task[None]:
        """Return the task that does it, which nobody needs to wait for."""
        task = self._running()
        if task is None:
            self._task = task = asyncio.create_task(work())
            task.add_done_callback(_report_error)
        return task

    async def run(self, work: Work) -> None:
        """Have it done, and raise what it raised."""
        task = self.start(work)
        await asyncio.wait([task])
        if task.cancelled():  # alone: whoever did that did not mean this caller
            task = self.start(work)
            await asyncio.wait([task])
        error = task.exception()
        if error is not None:
            try:
                if isinstance(error, TikTokShopError):
                    raise copy.copy(error) from error
                raise error
            finally:
                del error, task  # or the error would hold this frame, and this frame the error

    async def settle(self) -> None:
        """Wait for what is under way."""
        task = self._running()
        if task is not None:
            await asyncio.wait([task])

    async def stop(self) -> None:
        """Cancel what is under way."""
        task = self._running()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _running(self) -> asyncio.Task[None] | None:
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            return None  # a task of an event loop that was closed will never be done
        return task


def _report_error(task: asyncio.Task[None]) -> None:
    """Have no error of ours reported that nobody waits for: it was told already."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, TikTokShopError):
        logger.error("an unexpected error: %s", type(error).__name__, exc_info=error)
