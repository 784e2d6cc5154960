"""How a rate is learned: what a throttle does to it, and what use does. No clock, no waiting.

The curve is that of CUBIC (RFC 9438), with its ideas scaled to rates: after a reduction it climbs
back fast, then ever slower towards a plateau a bit below the rate that was throttled, stays about
there, and then looks for more, carefully at first and faster the longer nothing happens. Raising by
a constant step (AIMD) uses three quarters of a limit; this uses more.

`script.py` has the same in Lua: change both.
"""

from __future__ import annotations

from math import exp

import attrs

REDUCTION = 0.5
PLATEAU = 0.97
"""Of the rate that was throttled..."""
FALLEN = 0.85
"""...and if that was not above the last plateau, and each throttle costs a hold."""
RECOVERY = 0.7
"""Seconds of full use from a reduction to the plateau..."""
RECOVERY_CALLS = 10
"""...but so many calls at least: where calls are few, a throttle among them weighs more."""
PROBING = 5.0
"""Seconds of full use from the plateau to e times as much..."""
PROBING_CALLS = 50
PATIENCE = 8
"""The power of that time: the higher, the longer it stays at the plateau first."""
MOST_GROWTH = 20.0
"""The exponent that nothing needs more of; numbers stay finite."""
LOWEST = 0.05
HIGHEST = 10_000.0
LONGEST_HOLD = 600.0
"""Seconds; a header that says more is wrong, or the service is down for other reasons."""
LATENESS = 0.25
"""Seconds that timers may be late without calls being lost to it."""
TOO_FEW = 3
"""Calls in a second, from which on a rate can be told."""


@attrs.frozen
class RateState:
    """How fast calls may go, and when the next may."""

    low: float
    """Calls a second right after the last reduction."""
    plateau: float
    """Calls a second at which the rate stays longest."""
    used: float
    """Seconds of full use since the last reduction."""
    next_at: float
    held_until: float
    round: int
    """Reductions and holds so far."""
    fixed: bool = False

    @property
    def rate(self) -> float:
        """Calls a second, now."""
        if self.fixed:
            return self.low
        recovery = max(RECOVERY, RECOVERY_CALLS / self.plateau)
        left = 1 - self.used / recovery
        if left > 0:
            return self.plateau - (self.plateau - self.low) * left**3
        beyond = (self.used - recovery) / max(PROBING, PROBING_CALLS / self.plateau)
        # As steep as at 1 from there on: what a throttle takes to come must not cost more calls.
        growth = beyond**PATIENCE if beyond < 1 else 1 + PATIENCE * (beyond - 1)
        return min(HIGHEST, self.plateau * exp(min(growth, MOST_GROWTH)))


@attrs.frozen
class Turns:
    """Calls that may go: the first at ``first``, each other ``interval`` seconds later."""

    count: int
    first: float
    interval: float


def starting(rate: float, *, fixed: bool = False) -> RateState:
    """Return the pace of a rate that nothing is known about yet."""
    recovered = max(RECOVERY, RECOVERY_CALLS / rate)
    return RateState(rate, rate, recovered, 0.0, 0.0, 0, fixed)


def awakened(recent: float, start: float, now: float, retry_after: float | None) -> RateState:
    """Return the pace after the first throttle of what went unlimited, at ``recent`` a second."""
    if recent < TOO_FEW:
        return _held(attrs.evolve(starting(start), round=1), now, retry_after)
    return reduced(starting(recent), now, retry_after)


def reduced(pace: RateState, now: float, retry_after: float | None) -> RateState:
    """Return the pace after a throttle of a permit of its round."""
    if not pace.fixed:
        rate = pace.rate
        low = max(LOWEST, rate * REDUCTION)
        # Throttled before it looked for more: the limit is somewhere below. Going down by little
        # steps finds it more exactly, but where each costs a hold, it is found in few.
        in_few = retry_after and rate <= pace.plateau
        ceiling = rate * (FALLEN if in_few else PLATEAU)
        pace = attrs.evolve(
            pace,
            low=low,
            plateau=max(low, ceiling),
            used=0.0,
            # The next turn was set by the old rate: it would come too soon after the last.
            next_at=pace.next_at + (1 / low - 1 / rate),
        )
    return _held(attrs.evolve(pace, round=pace.round + 1), now, retry_after)


def throttled(pace: RateState, round_: int, now: float, retry_after: float | None) -> RateState:
    """Return the pace after a throttle of a permit; one of an earlier round reduces no more.

    Many calls that are in flight together are throttled by one cause.
    """
    if round_ < pace.round:
        return _held(pace, now, retry_after)
    return reduced(pace, now, retry_after)


def reserve(
    pace: RateState, now: float, wanted: int, *, ahead: float, backlog: bool, burst: int = 1
) -> tuple[RateState, Turns]:
    """Take up to ``wanted`` turns that come within ``ahead`` seconds.

    ``backlog`` says that these calls have been waiting: they use the rate up, so it rises, and if
    a timer was late they catch up. Others may go at once, ``burst`` of them after a pause.
    """
    rate = pace.rate
    interval = 1 / rate
    late = LATENESS if backlog else (burst - 1) * interval
    first = max(pace.next_at, pace.held_until, now - late)
    within = int((now + ahead - first) * rate + 1e-9) + 1 if first <= now + ahead else 0
    count = min(wanted, within)
    turns = Turns(count, first, interval)
    if not count:
        return pace, turns
    used_up = backlog or first > now
    used = pace.used + count * interval if used_up else pace.used
    return attrs.evolve(pace, used=used, next_at=first + count * interval), turns


def returned(pace: RateState) -> RateState:
    """Return the pace as if the last turn had not been taken."""
    return attrs.evolve(pace, next_at=pace.next_at - 1 / pace.rate)


def _held(pace: RateState, now: float, retry_after: float | None) -> RateState:
    if not retry_after:
        return pace
    until = now + min(retry_after, LONGEST_HOLD)
    return attrs.evolve(pace, held_until=max(pace.held_until, until))
