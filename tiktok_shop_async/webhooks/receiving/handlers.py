"""The handlers of an application, by class of event."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs

from ...errors import InvalidArgumentError
from ..event import WebhookEvent
from .handler_threads import HandlerThreads

Handler = Callable[[Any], object]


@attrs.frozen
class _Registered:
    kinds: tuple[type[WebhookEvent], ...]
    handler: Handler
    is_async: bool


class Handlers:
    """The registered handlers, in the order in which they run."""

    def __init__(self, timeout: float, *, threads: int) -> None:
        """Create the registry.

        Args:
            timeout: Seconds for each handler to handle an event.
            threads: The maximum number of threads for plain functions.
        """
        self._timeout = timeout
        self._threads = HandlerThreads(threads)
        self._registered: list[_Registered] = []

    @property
    def overdue(self) -> int:
        """The number of plain functions that still run after their timeout."""
        return self._threads.overdue

    def close(self) -> None:
        """End the threads of plain functions, each when its function has returned."""
        self._threads.close()

    def add(self, kinds: Sequence[type[WebhookEvent]], handler: Handler) -> None:
        """Register a handler for the events of these classes and their subclasses."""
        if not kinds or not all(
            isinstance(kind, type) and issubclass(kind, WebhookEvent) for kind in kinds
        ):
            raise InvalidArgumentError(
                "a handler must be registered for one or more event classes.",
                argument="kinds",
                hint="Write @receiver.on(OrderStatusChange), or on(WebhookEvent) for all events.",
            )
        self._registered.append(_Registered(tuple(kinds), handler, _is_async(handler)))

    async def __call__(self, event: WebhookEvent) -> bool:
        """Call all handlers of an event, one after another; return whether there are any.

        All of them are called, even if an earlier one failed; then their exceptions are raised.
        """
        task = asyncio.current_task()
        errors: list[BaseException] = []
        handlers = list(self._for(event))
        for each in handlers:
            try:
                await self._call(each, event)
            except BaseException as error:  # a handler may raise anything
                if is_interrupted(task):
                    raise
                errors.append(error)
        if len(errors) > 1:
            raise BaseExceptionGroup("several handlers failed", errors)
        if errors:
            raise errors[0]
        return bool(handlers)

    def _for(self, event: WebhookEvent) -> Iterator[_Registered]:
        return (each for each in self._registered if isinstance(event, each.kinds))

    async def _call(self, registered: _Registered, event: WebhookEvent) -> None:
        if registered.is_async:
            async with asyncio.timeout(self._timeout):
                await registered.handler(event)  # type: ignore[misc]
            return
        # In a thread: a blocking function must not delay the acknowledgement of deliveries.
        key = (id(registered), event.app_key, event.id)
        result = await self._threads.call(
            key, partial(registered.handler, event), seconds=self._timeout
        )
        if inspect.isawaitable(result):
            async with asyncio.timeout(self._timeout):
                await result


def is_interrupted(task: asyncio.Task[Any] | None) -> bool:
    """Return whether the task itself is to end, rather than something that it waited for."""
    try:
        is_running = asyncio.current_task() is task
    except RuntimeError:  # the event loop was closed
        return True
    return task is None or not is_running or task.cancelling() > 0


def _is_async(handler: Handler) -> bool:
    while isinstance(handler, partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - an object's method may be a coroutine
    )
