"""What was decided about the calls that wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import attrs

Status: TypeAlias = Literal["open", "paced", "paused", "spent"]


@attrs.frozen(kw_only=True)
class Decision:
    """All times are seconds from the answer on, so that nobody's clock matters."""

    status: Status
    as_of: float
    """When it was decided, by the clock of who did."""
    count: int = 0
    """Calls that may go."""
    first: float = 0.0
    interval: float = 1.0
    round: int = 0
    held_for: float = 0.0
    until: float = 0.0
    """When it is worth asking again."""

    @classmethod
    def from_redis(cls, reply: Sequence[bytes | str]) -> Decision:
        """Read the reply of `script.DECIDE`; its times are those of Redis."""
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
