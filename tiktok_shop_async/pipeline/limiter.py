"""When a call may go: what the pipeline asks of a rate limiter."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

import attrs

from ..options import Priority
from .operation import Operation


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


@attrs.frozen
class LimitKey:
    """What has a rate of its own."""

    app_key: str
    shop: str = attrs.field(repr=False)
    endpoint_class: EndpointClass


class Limiter(Protocol):
    """Decides when calls go."""

    async def acquire(self, key: LimitKey, priority: Priority) -> Any:
        """Return a permit when the call may go."""
        ...

    def is_current(self, permit: Any) -> bool:
        """Whether a permit still holds: no throttle came since it was given."""
        ...

    async def throttled(self, permit: Any, *, retry_after: float | None, quota: bool) -> None:
        """Note that the service refused the call: it came too early, or over the hour's quota."""
        ...
