"""Waits that end when the client is closed."""

from __future__ import annotations

from asyncio import CancelledError, Task, current_task
from types import TracebackType
from typing import Any

from ...errors import ClientClosedError


class InterruptOnClose:
    """An async context that raises `ClientClosedError` where it waits, once `end` is called.

    It works as `asyncio.timeout` does, without a time: the task is cancelled, and the cancellation
    is turned into the error unless somebody else cancelled the task too. An `asyncio.Timeout` would
    go on to hold the task, and so be part of a reference cycle.
    """

    __slots__ = ("_cancelling", "_is_ended", "_others", "_task")

    def __init__(self, waits: set[InterruptOnClose]) -> None:
        self._others = waits
        self._is_ended = False
        self._task: Task[Any] | None = None

    def end(self) -> None:
        """Wake the task that waits."""
        if self._task is not None and not self._is_ended:
            self._is_ended = True
            self._task.cancel()

    async def __aenter__(self) -> None:
        self._task = task = current_task()
        assert task is not None, "a call is made in a task"
        self._cancelling = task.cancelling()
        self._others.add(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._others.discard(self)
        task, self._task = self._task, None
        assert task is not None, "it was entered"
        if self._is_ended and task.uncancel() <= self._cancelling and kind is CancelledError:
            del task  # or the error would hold it, as the task holds the error
            raise ClientClosedError("the client was closed while the call waited.") from None
