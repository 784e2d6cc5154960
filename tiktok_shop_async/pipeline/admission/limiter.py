"""When a call may go: what the pipeline asks of a rate limiter."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import attrs

from ...options import Priority
from ..operation import Operation


class EndpointClass(StrEnum):
    """What the platform's limits tell apart; which operation is in which is our choice."""

    LIGHT_READ = "light_read"
    """Reads by GET."""
    READ = "read"
    """Reads by POST, that is searches."""
    WRITE = "write"
    HEAVY_WRITE = "heavy_write"
    """Uploads."""


def endpoint_class(operation: Operation) -> EndpointClass:
    """Return the class that an operation is counted in."""
    if operation.effect == "read":
        return EndpointClass.LIGHT_READ if operation.method == "GET" else EndpointClass.READ
    return EndpointClass.HEAVY_WRITE if operation.body == "multipart" else EndpointClass.WRITE


@attrs.frozen(cache_hash=True)
class LimitKey:
    """What the service limits together."""

    app_key: str
    shop: str = attrs.field(repr=False)
    """Any text that names the shop; it leaves the process only as a hash."""
    endpoint_class: EndpointClass


@attrs.frozen
class Permit:
    """Leave to send one call; all permits between two throttles of a key are alike."""

    key: LimitKey
    round: int
    """How often the rate had been reduced when it was given."""


class Limiter(Protocol):
    """Decides when calls may go, and learns from those that were refused.

    Of a success it is told nothing: a rate rises by being used.
    """

    def try_acquire(self, key: LimitKey) -> Permit | None:
        """Return a permit if nothing limits the key now; None asks the caller to `acquire` one."""
        ...

    async def acquire(self, key: LimitKey, priority: Priority) -> Permit:
        """Return when the call may go; `RateLimitError` if the hour's budget is used up."""
        ...

    def is_current(self, permit: Permit) -> bool:
        """Whether no throttle came since; if one did, acquire again before sending."""
        ...

    def give_back(self, permit: Permit) -> None:
        """Undo a permit whose call was not sent: nothing of it counts."""
        ...

    async def throttled(self, permit: Permit, *, retry_after: float | None, quota: bool) -> None:
        """Learn that the call was refused: by 429 or 36009002, or for the ``quota`` (36009037).

        ``retry_after`` are the seconds that the service asks to wait at least.
        """
        ...
