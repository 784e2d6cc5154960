"""The events of calls, for logs, traces and metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

logger = logging.getLogger("tiktok_shop_async.calls")


@attrs.define(kw_only=True, eq=False)
class CallInfo:
    """One call, the same object in all of its events; it holds no secrets."""

    operation: str
    """``group.name``, or method and path of a raw call."""
    version: str
    method: str
    base_url: str
    path: str
    """The path's template, with the version filled in: ``/order/202309/orders/{order_id}``."""
    path_arguments: Mapping[str, object]
    """The path parameters, as the caller passed them."""


# Not frozen, since a call creates four of them and frozen ones take twice as long. Never modify
# one.
@attrs.define(kw_only=True, eq=False)
class CallEvent:
    """An event of a call."""

    call: CallInfo


@attrs.define(kw_only=True, eq=False)
class CallStarted(CallEvent):
    """A call started; it may have to wait before it is sent."""


@attrs.define(kw_only=True, eq=False)
class AttemptStarted(CallEvent):
    """The call has its slot and is about to be sent."""

    attempt: int
    """The first is 1."""
    held_back: float
    """Seconds that the attempt waited for its permit and its slot."""


@attrs.define(kw_only=True, eq=False)
class AttemptFinished(CallEvent):
    """An attempt received its response, or failed."""

    attempt: int
    seconds: float
    http_status: int | None
    request_id: str | None
    error: BaseException | None
    """None for a success; `asyncio.CancelledError` for a cancelled call."""


@attrs.define(kw_only=True, eq=False)
class Throttled(CallEvent):
    """The service rejected an attempt because there are too many calls."""

    attempt: int
    retry_after: float | None
    """Seconds to wait, as the service asks for, or None."""
    request_id: str | None


@attrs.define(kw_only=True, eq=False)
class RetryScheduled(CallEvent):
    """The call is retried after a wait."""

    attempt: int
    """The number of the failed attempt."""
    seconds: float
    """The duration of the wait."""
    error: BaseException


@attrs.define(kw_only=True, eq=False)
class TokenReplaced(CallEvent):
    """The service rejected the access token, and the call is retried with another one."""

    attempt: int


@attrs.define(kw_only=True, eq=False)
class CallFinished(CallEvent):
    """The call returned or raised."""

    attempts: int
    seconds: float
    """Seconds since `CallStarted`, including all waits."""
    error: BaseException | None


Observer: TypeAlias = Callable[[CallEvent], object]
"""A plain function, called with every event in the task of the call.

It must not block, and cannot be a coroutine function. An exception that it raises is logged and
does not affect the call.
"""


def log_call(event: CallEvent) -> None:
    """Log an event: at level INFO if it delays the call, otherwise at level DEBUG."""
    operation = event.call.operation
    match event:
        case Throttled():
            wait = "" if event.retry_after is None else f", Retry-After {event.retry_after:g} s"
            logger.info("%s: throttled%s (request id %s)", operation, wait, event.request_id)
        case RetryScheduled():
            logger.info(
                "%s: attempt %d failed, retrying in %.1f s: %s",
                operation,
                event.attempt,
                event.seconds,
                event.error,
            )
        case TokenReplaced():
            logger.info("%s: retrying with another access token", operation)
        case AttemptStarted():
            logger.debug("%s: attempt %d started", operation, event.attempt)
        case AttemptFinished():
            logger.debug(
                "%s: attempt %d took %.3f s: HTTP %s, request id %s%s",
                operation,
                event.attempt,
                event.seconds,
                event.http_status,
                event.request_id,
                f", {type(event.error).__name__}" if event.error else "",
            )
        case CallFinished():
            logger.debug(
                "%s: %s after %d attempts and %.3f s",
                operation,
                type(event.error).__name__ if event.error else "succeeded",
                event.attempts,
                event.seconds,
            )
