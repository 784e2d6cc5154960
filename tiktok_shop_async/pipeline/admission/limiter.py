"""The protocol of rate limiters, and what they limit."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import attrs

from ...options import Priority
from ..operation import Operation


class EndpointClass(StrEnum):
    """Classes of operations that the service limits separately.

    The service names the classes, but does not say which operation is in which.
    `endpoint_class` decides that.
    """

    LIGHT_READ = "light_read"
    """Reads by GET."""
    READ = "read"
    """Reads by POST: searches."""
    WRITE = "write"
    HEAVY_WRITE = "heavy_write"
    """Uploads."""


def endpoint_class(operation: Operation) -> EndpointClass:
    """Return the class of an operation."""
    if operation.effect == "read":
        return EndpointClass.LIGHT_READ if operation.method == "GET" else EndpointClass.READ
    return EndpointClass.HEAVY_WRITE if operation.body == "multipart" else EndpointClass.WRITE


@attrs.frozen(cache_hash=True)
class LimitKey:
    """The calls that share one rate limit: those of an app, in a shop, of a class."""

    app_key: str
    shop: str = attrs.field(repr=False)
    """Any text that identifies the shop; it leaves the process only as a hash."""
    endpoint_class: EndpointClass


@attrs.frozen
class Permit:
    """A permission to send one call; permits of one key and one round are equal."""

    key: LimitKey
    round: int
    """The number of times that the rate was reduced before the permit was issued."""


class Limiter(Protocol):
    """A rate limiter, which delays calls and reduces its rate when calls are throttled.

    It is not called for successes: a rate rises while it is used.
    """

    def try_acquire(self, key: LimitKey) -> Permit | None:
        """Return a permit if the call can be sent now; otherwise None, and the caller must wait.

        `acquire` is called next if this returns None.
        """
        ...

    async def acquire(self, key: LimitKey, priority: Priority) -> Permit:
        """Return a permit once the call may be sent.

        Raise `RateLimitError` if the hourly budget is used up.
        """
        ...

    def is_current(self, permit: Permit) -> bool:
        """Return whether no call was throttled since the permit was issued.

        If one was, the caller acquires a new permit before it sends the call.
        """
        ...

    def give_back(self, permit: Permit) -> None:
        """Take back the permit of a call that was not sent, so that it does not count."""
        ...

    async def throttled(self, permit: Permit, *, retry_after: float | None, quota: bool) -> None:
        """Reduce the rate: the service throttled the call (429 or 36009002).

        Args:
            retry_after: The minimum wait in seconds that the service asks for.
            quota: The hourly quota of a development shop is used up (36009037).
        """
        ...
