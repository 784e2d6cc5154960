"""The decisions that a process makes itself while Redis cannot be reached."""

from __future__ import annotations

import attrs

from ...options import Priority
from ...pipeline.admission.limiter import LimitKey, Permit
from ..budget import Account
from ..rate_state import Demand, RateState, first_throttle, initial_state, reserve, throttle
from ..rates import STARTING_RATES
from .decision import Decision


@attrs.frozen
class LastKnown:
    """The state of a key by the last decision of Redis."""

    as_of: float = 0.0
    rate: float | None = None
    round: int = 0
    held_until: float = 0.0


class LocalFallback:
    """A local limit for one key, at a share of its last known rate; it learns by itself."""

    def __init__(
        self, key: LimitKey, start: RateState | None, account: Account, share: float
    ) -> None:
        self._key = key
        self._start = start
        self._share = share
        self._limit: RateState | None = None
        self._account = account

    def reset(self) -> None:
        """Discard the local limit, because Redis decides again."""
        self._limit = None

    def take(self, now: float, priority: Priority, demand: Demand, known: LastKnown) -> Decision:
        """Decide about waiting calls as Redis would.

        Args:
            priority: The priority of the first of them.
        """
        if (refusal := self._account.refusal(now, priority)) is not None:
            until = refusal.retry_after or 0.0
            paused = now < self._account.paused_until
            return Decision(status="paused" if paused else "spent", as_of=known.as_of, until=until)
        if self._account.on_trial:
            demand = attrs.evolve(demand, wanted=1)
        self._begin(known)
        if self._limit is None:
            self._account.count(now)
            return Decision(status="open", as_of=known.as_of, count=demand.wanted)
        self._limit, reservation = reserve(self._limit, now, demand)
        if reservation.count:
            self._account.count(now)
        decision = _paced(self._limit, now, known)
        return attrs.evolve(decision, count=reservation.count, first=reservation.first - now)

    def throttled(
        self, permit: Permit, now: float, retry_after: float | None, known: LastKnown
    ) -> Decision:
        """Lower the rate as Redis would."""
        self._begin(known)
        if self._limit is None:
            start = STARTING_RATES[self._key.endpoint_class] * self._share
            self._limit = first_throttle(0.0, start, now, retry_after)
        else:
            self._limit = throttle(self._limit, permit.round, now, retry_after)
        return _paced(self._limit, now, known)

    def pause(self, now: float, retry_after: float | None, known: LastKnown) -> Decision:
        """Pause the shop as Redis would."""
        self._account.pause(now, retry_after)
        left = self._account.paused_until - now
        return Decision(status="paused", as_of=known.as_of, until=left)

    def _begin(self, known: LastKnown) -> None:
        if self._limit is not None:
            return
        rate = known.rate
        if rate is None and self._start is not None:
            rate = self._start.low
        if rate is not None:
            fixed = self._start is not None and self._start.fixed
            self._limit = attrs.evolve(
                initial_state(rate * self._share, fixed=fixed),
                round=known.round,
                held_until=known.held_until,
            )


def _paced(limit: RateState, now: float, known: LastKnown) -> Decision:
    return Decision(
        status="paced",
        as_of=known.as_of,
        interval=1 / limit.rate,
        round=limit.round,
        held_for=limit.held_until - now,
        until=max(limit.next_at, limit.held_until) - now,
    )
