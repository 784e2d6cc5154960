"""The rate of a key: how throttles lower it and how use raises it, without clock or waits.

The curve is that of CUBIC (RFC 9438), scaled to rates. After a reduction the rate climbs back fast,
then ever more slowly towards a plateau a little below the rate that was throttled. It stays near
the plateau for a while, and then probes for more: slowly at first, and faster while nothing is
throttled. Raising the rate by a constant step (AIMD) would use three quarters of a limit; this uses
more.

`redis_script` has the same in Lua: change both.
"""

from __future__ import annotations

from math import exp

import attrs

REDUCTION = 0.5
"""The part of the rate that is left after a throttle."""
PLATEAU = 0.97
"""The plateau, as a part of the rate that was throttled..."""
LOWERED_PLATEAU = 0.85
"""...and the same if that rate was at most the last plateau, and throttles cost a hold."""
RECOVERY = 0.7
"""Seconds of full use from a reduction to the plateau..."""
RECOVERY_CALLS = 10
"""...but at least as long as this many calls take: a throttle among few calls weighs more."""
PROBING = 5.0
"""Seconds of full use in which the rate grows from the plateau by a factor of e..."""
PROBING_CALLS = 50
"""...but at least as long as this many calls take."""
GROWTH_POWER = 8
"""The power of the time in the growth; a higher one keeps the rate near the plateau longer."""
MAX_GROWTH = 20.0
"""The maximum exponent of the growth, so that numbers stay finite."""
MIN_RATE = 0.05
MAX_RATE = 10_000.0
MAX_HOLD = 600.0
"""Maximum seconds of a hold: a longer Retry-After is wrong, or the service is down."""
MAX_LATENESS = 0.25
"""Seconds that a timer may be late without a loss of calls."""
MIN_MEASURABLE_CALLS = 3
"""Calls in a second from which on they are a measure of the rate."""


@attrs.frozen
class RateState:
    """The rate of a key, and when its next call may be sent."""

    low: float
    """Calls a second right after the last reduction."""
    plateau: float
    """Calls a second at which the rate stays longest."""
    used: float
    """Seconds of full use since the last reduction."""
    next_at: float
    """The time at which the next call may be sent."""
    held_until: float
    """The end of the time for which the service asked to send nothing."""
    round: int
    """Reductions so far."""
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
        # Above 1 the slope stays that of 1: calls until a throttle arrives must not grow further.
        growth = beyond**GROWTH_POWER if beyond < 1 else 1 + GROWTH_POWER * (beyond - 1)
        return min(MAX_RATE, self.plateau * exp(min(growth, MAX_GROWTH)))


@attrs.frozen
class Demand:
    """The calls that are to be reserved."""

    wanted: int
    """The maximum number of calls to reserve."""
    ahead: float = 0.0
    """Seconds from now at which the last of them may be sent at the latest."""
    backlog: bool = False
    """True if these calls have been waiting: they use the rate up, so it rises, and they catch up
    after a late timer."""
    burst: int = 1
    """Calls that may be sent at once after a pause, unless there is a backlog."""


@attrs.frozen
class Reservation:
    """Calls that may be sent: one at ``first``, each other one ``interval`` seconds later."""

    count: int
    first: float
    interval: float


def initial_state(rate: float, *, fixed: bool = False) -> RateState:
    """Return the state of a key that begins with this rate."""
    recovered = max(RECOVERY, RECOVERY_CALLS / rate)
    return RateState(rate, rate, recovered, 0.0, 0.0, 0, fixed)


def first_throttle(recent: float, start: float, now: float, retry_after: float | None) -> RateState:
    """Return the state after the first throttle of a key that had no limit.

    Args:
        recent: Calls a second that were sent lately.
        start: The rate to begin with if these are too few to measure a rate.
    """
    if recent < MIN_MEASURABLE_CALLS:
        return _hold(attrs.evolve(initial_state(start), round=1), now, retry_after)
    return reduce_rate(initial_state(recent), now, retry_after)


def reduce_rate(state: RateState, now: float, retry_after: float | None) -> RateState:
    """Return the state after a throttle of the current round."""
    if not state.fixed:
        rate = state.rate
        low = max(MIN_RATE, rate * REDUCTION)
        # A throttle below the plateau means that the limit is somewhere below. Small steps down
        # find it more exactly, but if each one costs a hold, few large steps are better.
        in_few_steps = retry_after and rate <= state.plateau
        ceiling = rate * (LOWERED_PLATEAU if in_few_steps else PLATEAU)
        state = attrs.evolve(
            state,
            low=low,
            plateau=max(low, ceiling),
            used=0.0,
            # By the old rate, the next call would follow too soon after the last one.
            next_at=state.next_at + (1 / low - 1 / rate),
        )
    return _hold(attrs.evolve(state, round=state.round + 1), now, retry_after)


def throttle(state: RateState, round_: int, now: float, retry_after: float | None) -> RateState:
    """Return the state after a throttle of a permit of this round.

    A permit of an earlier round does not reduce the rate again: many calls that are in flight
    together are throttled for one cause.
    """
    if round_ < state.round:
        return _hold(state, now, retry_after)
    return reduce_rate(state, now, retry_after)


def reserve(state: RateState, now: float, demand: Demand) -> tuple[RateState, Reservation]:
    """Reserve as many of the demanded calls as the rate allows; return the new state too."""
    rate = state.rate
    interval = 1 / rate
    late = MAX_LATENESS if demand.backlog else (demand.burst - 1) * interval
    first = max(state.next_at, state.held_until, now - late)
    end = now + demand.ahead
    within = int((end - first) * rate + 1e-9) + 1 if first <= end else 0
    count = min(demand.wanted, within)
    reservation = Reservation(count, first, interval)
    if not count:
        return state, reservation
    used_up = demand.backlog or first > now
    used = state.used + count * interval if used_up else state.used
    return attrs.evolve(state, used=used, next_at=first + count * interval), reservation


def release(state: RateState) -> RateState:
    """Return the state as if the last reserved call had not been reserved."""
    return attrs.evolve(state, next_at=state.next_at - 1 / state.rate)


def _hold(state: RateState, now: float, retry_after: float | None) -> RateState:
    if not retry_after:
        return state
    until = now + min(retry_after, MAX_HOLD)
    return attrs.evolve(state, held_until=max(state.held_until, until))
