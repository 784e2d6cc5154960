"""Guarded calls of the functions that users pass to be notified of events.

A notification must not affect the operation that it reports: an `Exception` of the function is
logged and not raised. `KeyboardInterrupt`, `SystemExit` and `asyncio.CancelledError` are raised, so
callers notify when their own state is consistent, or use `Callback.call_soon`.

Coroutine functions as callbacks:

- ``on_event`` of `Authorizations` and ``on_change`` of limiters run as tasks, because their callers
  must not wait for them.
- ``progress`` of batches is awaited.
- ``observers`` of clients reject them: a call has four events, and a task for each would be slower
  than the call.

Functions that make decisions (``key``, ``stop_on``) are not notifications: their exceptions are
raised. They only share `reject_coroutine_function`.
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
    """Raise `InvalidArgumentError` for a coroutine function, which would not be awaited."""
    call = getattr(function, "__call__", None)  # noqa: B004 - an object may have an async __call__
    if iscoroutinefunction(function) or iscoroutinefunction(call):
        raise InvalidArgumentError(
            f"{argument} must be a plain function, not a coroutine function.",
            argument=argument,
            hint="It is called where nothing can be awaited; it may start a task.",
        )


class Callback(Generic[T]):
    """A user's function that is called with events, and whose exceptions are only logged.

    Args:
        argument: The argument that the user passed the function as, for errors.
        name: The name of the function in the log; the argument by default.
        describe: Returns the description of an event in the log; its type by default.
        awaitable: Whether coroutine functions are accepted.
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
        """Call the function; run a coroutine that it returns as a task."""
        try:
            result = self._function(event)
            if result is not None and isawaitable(result):
                self._start(result, event)
        except Exception:
            self._log(event)

    async def wait(self, event: T) -> None:
        """Call the function; await a coroutine that it returns."""
        try:
            result = self._function(event)
            if result is not None and isawaitable(result):
                await result
        except Exception:
            self._log(event)

    def call_soon(self, event: T) -> None:
        """Call the function in the next iteration of the event loop.

        By then, the caller's state is consistent again.
        """
        from asyncio import get_running_loop

        get_running_loop().call_soon(self, event)

    async def settle(self) -> None:
        """Wait for the running tasks, except the current one."""
        import asyncio

        current, loop = asyncio.current_task(), asyncio.get_running_loop()
        # Tasks of a closed event loop never finish.
        others = [task for task in self._running if task.get_loop() is loop and task is not current]
        if others:
            await asyncio.wait(others)

    def _start(self, result: Awaitable[object], event: T) -> None:
        if not self._awaitable:
            if iscoroutine(result):
                result.close()
            raise TypeError("the callback must be a plain function, but it returned an awaitable.")
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
