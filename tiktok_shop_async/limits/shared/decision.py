"""A decision about the calls that wait for a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import attrs

Status: TypeAlias = Literal["open", "paced", "paused", "spent"]


@attrs.frozen(kw_only=True)
class Decision:
    """The number of calls that may be sent, and when.

    All times but ``as_of`` are seconds from the decision on, so that clocks need not agree.
    """

    status: Status
    as_of: float
    """The time of the decision, by the clock of Redis."""
    count: int = 0
    """The number of calls that may be sent."""
    first: float = 0.0
    """The time of the first of them."""
    interval: float = 1.0
    """Seconds between two calls."""
    round: int = 0
    held_for: float = 0.0
    until: float = 0.0
    """The time at which another decision may allow further calls."""

    @classmethod
    def from_redis(cls, reply: Sequence[bytes | str]) -> Decision:
        """Decode the reply of `redis_script.DECIDE`, whose times are those of Redis."""
        status, now, *facts = (part.decode() if isinstance(part, bytes) else part for part in reply)
        as_of = float(now)
        match status:
            case "open":
                return cls(status="open", as_of=as_of, count=int(float(facts[0])))
            case "paused":
                return cls(status="paused", as_of=as_of, until=float(facts[0]) - as_of)
            case "spent":
                return cls(status="spent", as_of=as_of, until=float(facts[0]) - as_of)
        count, first, interval, round_, held_until, next_at = map(float, facts)
        return cls(
            status="paced",
            as_of=as_of,
            count=int(count),
            first=first - as_of,
            interval=interval,
            round=int(round_),
            held_for=held_until - as_of,
            until=max(next_at, held_until) - as_of,
        )
