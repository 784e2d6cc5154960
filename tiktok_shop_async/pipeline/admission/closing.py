"""Waits that closing the client interrupts."""

from __future__ import annotations

from asyncio import CancelledError, Task, current_task
from types import TracebackType
from typing import Any

from ...errors import ClientClosedError


class InterruptOnClose:
    """An async context whose wait raises `ClientClosedError` when `interrupt` is called.

    Like `asyncio.timeout`, but without a time: it cancels the task, and turns the cancellation into
    the error unless something else has cancelled the task too. It does not use `asyncio.Timeout`,
    which keeps a reference to the task and so would create a cycle.
    """

    __slots__ = ("_cancelling", "_is_interrupted", "_task", "_waits")

    def __init__(self, waits: set[InterruptOnClose]) -> None:
        self._waits = waits
        self._is_interrupted = False
        self._task: Task[Any] | None = None

    def interrupt(self) -> None:
        """Cancel the waiting task."""
        if self._task is not None and not self._is_interrupted:
            self._is_interrupted = True
            self._task.cancel()

    async def __aenter__(self) -> None:
        self._task = task = current_task()
        assert task is not None, "calls run in tasks"
        self._cancelling = task.cancelling()
        self._waits.add(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waits.discard(self)
        task, self._task = self._task, None
        assert task is not None, "it was entered"
        if self._is_interrupted and task.uncancel() <= self._cancelling and kind is CancelledError:
            del task  # otherwise the task and the error would refer to each other
            raise ClientClosedError("the client was closed while the call waited.") from None
