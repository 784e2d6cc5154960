"""The one guarded way of calling functions that users pass in to be notified.

A notification must not change what it is about: an `Exception` that the function raises is logged
and goes no further. `KeyboardInterrupt`, `SystemExit` and `asyncio.CancelledError` pass through, so
a caller notifies when its own state is consistent, or uses `Callback.call_soon`.

Which callbacks may be coroutine functions:

- ``on_event`` of `Authorizations` and ``on_change`` of limiters: they run as tasks, since those
  who notify must not wait for them.
- ``progress`` of batches: awaited.
- ``observers`` of clients: rejected. There are four events per call, and a task for each of them
  would be slower than the calls.

Functions that decide something (``key``, ``stop_on``) are not notifications: their exceptions must
reach the user. They only share `reject_coroutine_function`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import TYPE_CHECKING, Generic, TypeVar

from ..errors import InvalidArgumentError
from .argument_checks import check_function

if TYPE_CHECKING:
    import asyncio
    from logging import Logger

T = TypeVar("T")


def reject_coroutine_function(argument: str, function: object) -> None:
    """Raise `InvalidArgumentError` for a coroutine function, whose result nobody would await."""
    call = getattr(function, "__call__", None)  # noqa: B004 - an object may have an async __call__
    if iscoroutinefunction(function) or iscoroutinefunction(call):
        raise InvalidArgumentError(
            f"{argument} must be a plain function, not a coroutine function.",
            argument=argument,
            hint="It is called where nothing can be awaited; start a task in it if you need one.",
        )


class Callback(Generic[T]):
    """A user's function that is notified of events, and whose exceptions are only logged.

    Args:
        argument: The argument by which the user passed it, for errors.
        name: What the log calls it; the argument by default.
        describe: Returns what the log says about an event; its type by default.
        awaitable: Whether it may be a coroutine function; otherwise one is rejected here.
    """

    def __init__(
        self,
        function: Callable[[T], object],
        argument: str,
        logger: Logger,
        *,
        name: str | None = None,
        describe: Callable[[T], object] = lambda event: type(event).__name__,
        awaitable: bool = True,
    ) -> None:
        check_function(function, argument)
        if not awaitable:
            reject_coroutine_function(argument, function)
        self._function = function
        self._logger = logger
        self._message = f"{name or argument} failed on %s"
        self._describe = describe
        self._awaitable = awaitable
        self._running: set[asyncio.Task[None]] = set()

    def __call__(self, event: T) -> None:
        """Notify; the result of a coroutine function runs as a task."""
        try:
            result = self._function(event)
            if result is not None and isawaitable(result):
                self._start(result, event)
        except Exception:
            self._log(event)

    async def wait(self, event: T) -> None:
        """Notify, and await the result of a coroutine function."""
        try:
            result = self._function(event)
            if result is not None and isawaitable(result):
                await result
        except Exception:
            self._log(event)

    def call_soon(self, event: T) -> None:
        """Notify in the event loop's next step, when the caller's state is consistent again."""
        from asyncio import get_running_loop

        get_running_loop().call_soon(self, event)

    async def settle(self) -> None:
        """Wait for the running tasks, except the one that calls this."""
        import asyncio

        current, loop = asyncio.current_task(), asyncio.get_running_loop()
        # Tasks of an event loop that was closed will never be done.
        others = [task for task in self._running if task.get_loop() is loop and task is not current]
        if others:
            await asyncio.wait(others)

    def _start(self, result: Awaitable[object], event: T) -> None:
        if not self._awaitable:
            if iscoroutine(result):
                result.close()
            raise TypeError("it returned an awaitable, and must be a plain function.")
        from asyncio import get_running_loop

        task = get_running_loop().create_task(self._finish(result, event))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _finish(self, result: Awaitable[object], event: T) -> None:
        try:
            await result
        except Exception:
            self._log(event)

    def _log(self, event: T) -> None:
        self._logger.exception(self._message, self._describe(event))
