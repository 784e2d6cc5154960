"""What a process does while it cannot reach those it shares its limits with."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..options import Priority
from ..pipeline.admission.limiter import LimitKey, Permit
from .budget import Account
from .decision import Decision
from .learning import RateState, awakened, reserve, starting, throttled
from .rates import STARTING_RATES


@attrs.frozen
class Known:
    """What was last heard of a key."""

    as_of: float = 0.0
    rate: float | None = None
    round: int = 0
    held_until: float = 0.0


class LocalFallback:
    """One key, at a share of what is known about it; it learns on by itself."""

    def __init__(
        self, key: LimitKey, start: RateState | None, account: Account, share: float
    ) -> None:
        self.known: Callable[[], Known] = Known
        self._key = key
        self._start = start
        self._share = share
        self._pace: RateState | None = None
        self._account = account

    def end(self) -> None:
        """Forget what was learned alone."""
        self._pace = None

    def take(
        self, now: float, wanted: int, head: Priority, *, ahead: float, backlog: bool, burst: int
    ) -> Decision:
        """Decide as Redis would."""
        as_of = self.known().as_of
        if (refusal := self._account.refusal(now, head)) is not None:
            until = refusal.retry_after or 0.0
            paused = now < self._account.paused_until
            return Decision(status="paused" if paused else "spent", as_of=as_of, until=until)
        if self._account.on_trial:
            wanted = 1
        self._begin()
        if self._pace is None:
            self._account.count(now)
            return Decision(status="open", as_of=as_of, count=wanted)
        self._pace, turns = reserve(
            self._pace, now, wanted, ahead=ahead, backlog=backlog, burst=burst
        )
        if turns.count:
            self._account.count(now)
        answer = self._answer(self._pace, now)
        return attrs.evolve(answer, count=turns.count, first=turns.first - now)

    def throttled(
        self, permit: Permit, now: float, retry_after: float | None, *, quota: bool
    ) -> Decision:
        """Learn as Redis would."""
        if quota:
            self._account.pause(now, retry_after)
            left = self._account.paused_until - now
            return Decision(status="paused", as_of=self.known().as_of, until=left)
        self._begin()
        if self._pace is None:
            start = STARTING_RATES[self._key.endpoint_class] * self._share
            self._pace = awakened(0.0, start, now, retry_after)
        else:
            self._pace = throttled(self._pace, permit.round, now, retry_after)
        return self._answer(self._pace, now)

    def _begin(self) -> None:
        if self._pace is not None:
            return
        known = self.known()
        rate = known.rate
        if rate is None and self._start is not None:
            rate = self._start.low
        if rate is not None:
            fixed = self._start is not None and self._start.fixed
            self._pace = attrs.evolve(
                starting(rate * self._share, fixed=fixed),
                round=known.round,
                held_until=known.held_until,
            )

    def _answer(self, pace: RateState, now: float) -> Decision:
        return Decision(
            status="paced",
            as_of=self.known().as_of,
            interval=1 / pace.rate,
            round=pace.round,
            held_for=pace.held_until - now,
            until=max(pace.next_at, pace.held_until) - now,
        )
