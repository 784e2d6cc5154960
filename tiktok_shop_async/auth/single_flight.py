"""Single flight: one task for all concurrent callers that need the same work."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from ..errors import TikTokShopError
from .events import logger

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class SingleFlight:
    """A runner of one task at a time, for which concurrent callers wait.

    Cancelling a caller does not stop the task. Each caller gets its own copy of an error.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Work) -> asyncio.Task[None]:
        """Return the running task, or start one; it need not be awaited."""
        task = self._running()
        if task is None:
            self._task = task = asyncio.create_task(work())
            task.add_done_callback(_report_error)
        return task

    async def run(self, work: Work) -> None:
        """Wait for the running task, or run one, and raise its error."""
        task = self.start(work)
        await asyncio.wait([task])
        if task.cancelled():  # but not this caller
            task = self.start(work)
            await asyncio.wait([task])
        error = task.exception()
        if error is not None:
            try:
                if isinstance(error, TikTokShopError):
                    raise copy.copy(error) from error
                raise error
            finally:
                del error, task  # otherwise the error and this frame would refer to each other

    async def settle(self) -> None:
        """Wait for the running task, if any."""
        task = self._running()
        if task is not None:
            await asyncio.wait([task])

    async def stop(self) -> None:
        """Cancel the running task, if any."""
        task = self._running()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _running(self) -> asyncio.Task[None] | None:
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            return None  # a task of a closed event loop never ends
        return task


def _report_error(task: asyncio.Task[None]) -> None:
    """Retrieve the error of a task; log one that no event has reported."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, TikTokShopError):
        logger.error(
            "unexpected error in a background task: %s", type(error).__name__, exc_info=error
        )
