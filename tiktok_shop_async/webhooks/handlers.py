"""What an application does with each kind of event."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs

from ..errors import InvalidArgumentError
from .event import WebhookEvent

Handler = Callable[[Any], object]


@attrs.frozen
class _Registered:
    kinds: tuple[type[WebhookEvent], ...]
    handler: Handler
    is_async: bool


class Handlers:
    """The handlers of all kinds, in the order in which they run."""

    def __init__(self, timeout: float) -> None:
        """Make it; each handler has ``timeout`` seconds for an event."""
        self._timeout = timeout
        self._registered: list[_Registered] = []

    def add(self, kinds: Sequence[type[WebhookEvent]], handler: Handler) -> None:
        """Let a handler have the events of these classes, and of all below them."""
        if not kinds or not all(
            isinstance(kind, type) and issubclass(kind, WebhookEvent) for kind in kinds
        ):
            raise InvalidArgumentError(
                "a handler is for classes of events.",
                argument="kinds",
                hint="Write @receiver.on(OrderStatusChange), or on(WebhookEvent) for all events.",
            )
        self._registered.append(_Registered(tuple(kinds), handler, _is_async(handler)))

    async def __call__(self, event: WebhookEvent) -> bool:
        """Let all handlers have an event that are for it; False if there are none.

        Each gets it, even if an earlier one failed; then what they failed with is raised.
        """
        errors = []
        handlers = list(self._for(event))
        for each in handlers:
            try:
                async with asyncio.timeout(self._timeout):
                    await _call(each, event)
            except Exception as error:  # whatever a handler may raise
                errors.append(error)
        if len(errors) > 1:
            raise ExceptionGroup("several handlers have failed", errors)
        if errors:
            raise errors[0]
        return bool(handlers)

    def _for(self, event: WebhookEvent) -> Iterator[_Registered]:
        return (each for each in self._registered if isinstance(event, each.kinds))


async def _call(registered: _Registered, event: WebhookEvent) -> None:
    if registered.is_async:
        await registered.handler(event)  # type: ignore[misc]
        return
    # In a thread: it may block, and deliveries are to be answered meanwhile.
    result = await asyncio.to_thread(registered.handler, event)
    if inspect.isawaitable(result):
        await result


def _is_async(handler: Handler) -> bool:
    while isinstance(handler, partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - an object's method may be a coroutine
    )
