"""Events of calls, for logs, traces and metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

logger = logging.getLogger("tiktok_shop_async.calls")


@attrs.define(kw_only=True, eq=False)
class CallInfo:
    """One call, the same object in all its events; nothing in it is secret."""

    operation: str
    """``group.name``, or method and path of a raw call."""
    version: str
    method: str
    base_url: str
    path: str
    """Template, with the version filled in: ``/order/202309/orders/{order_id}``."""
    path_arguments: Mapping[str, object]
    """What the template is filled with, as the caller gave it."""


# Not frozen, since four are made for each call, and frozen ones take twice as long. Change none.
@attrs.define(kw_only=True, eq=False)
class CallEvent:
    """Something that happened to a call."""

    call: CallInfo


@attrs.define(kw_only=True, eq=False)
class CallStarted(CallEvent):
    """A call was made; it may have to wait before it is sent."""


@attrs.define(kw_only=True, eq=False)
class AttemptStarted(CallEvent):
    """The call has its slot and is about to be sent."""

    attempt: int
    """The first is 1."""
    held_back: float
    """Seconds that it waited for its permit and its slot."""


@attrs.define(kw_only=True, eq=False)
class AttemptFinished(CallEvent):
    """An attempt got its response, or failed."""

    attempt: int
    seconds: float
    http_status: int | None
    request_id: str | None
    error: BaseException | None
    """None for a success; `asyncio.CancelledError` if the caller cancelled the call."""


@attrs.define(kw_only=True, eq=False)
class Throttled(CallEvent):
    """The service refused an attempt because there are too many calls."""

    attempt: int
    retry_after: float | None
    """Seconds that the service asks to wait, or None."""
    request_id: str | None


@attrs.define(kw_only=True, eq=False)
class RetryScheduled(CallEvent):
    """The call waits, then it is retried."""

    attempt: int
    """The attempt that failed."""
    seconds: float
    error: BaseException


@attrs.define(kw_only=True, eq=False)
class TokenReplaced(CallEvent):
    """The service refused the access token; there is another one, and the call is sent again."""

    attempt: int


@attrs.define(kw_only=True, eq=False)
class CallFinished(CallEvent):
    """The call returned or raised."""

    attempts: int
    seconds: float
    """From `CallStarted` on, with all waits."""
    error: BaseException | None


Observer: TypeAlias = Callable[[CallEvent], object]
"""A plain function called with every event as it happens, in the task of the call.

It must not block, and cannot be a coroutine function. An exception that it raises is logged and
changes nothing for the call.
"""


def log_call(event: CallEvent) -> None:
    """Log an event: what delays a call as INFO, all others as DEBUG."""
    operation = event.call.operation
    match event:
        case Throttled():
            asked = "" if event.retry_after is None else f", asked to wait {event.retry_after:g} s"
            logger.info("%s: throttled%s (request id %s)", operation, asked, event.request_id)
        case RetryScheduled():
            logger.info(
                "%s: attempt %d failed, the next follows in %.1f s: %s",
                operation,
                event.attempt,
                event.seconds,
                event.error,
            )
        case TokenReplaced():
            logger.info("%s: the access token was replaced, the call is sent again", operation)
        case AttemptStarted():
            logger.debug("%s: attempt %d begins", operation, event.attempt)
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
