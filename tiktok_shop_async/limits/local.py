"""A limiter for one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from math import inf

from ..options import Priority
from ..pipeline.admission.limiter import EndpointClass, LimitKey, Permit
from .budget import MAX_PAUSE, Account, Accounts, bounded, check_max_pause, new_budget, paused
from .forgetting import FORGET_AFTER, Forgetting
from .lanes import Lanes, grant, refuse, was_granted
from .learning import RateState, awakened, reserve, returned, throttled
from .observing import NOTICEABLE, LimitedRate, OnChange, guarded, rate_of
from .rates import STARTING_RATES, FixedRate, paces
from .recent import WINDOW, RecentCalls


class _KeyState:
    """What is known about one key, and who waits there."""

    def __init__(self, key: LimitKey, pace: RateState | None, account: Account) -> None:
        self.pace = pace
        self.account = account
        self.permit = Permit(key, 0)
        self.recent = RecentCalls()
        self.lanes = Lanes()
        self.timer: asyncio.TimerHandle | None = None
        self.used_at = 0.0
        self.told = 0.0
        """The rate that was last told to the one who wants to know."""


class LearningLimiter:
    """Finds out how fast calls may go, for each app, shop and class of endpoint.

    Nothing is limited before the first throttle, unless ``rates`` say where to begin. Clients of
    one event loop may share it; what it learns is lost with the process. `RedisLimiter` shares it.
    """

    # Limiters such as aiolimiter, limits, pyrate-limiter or throttled-py keep to rates that they
    # are given, and what learns (botocore, aimd-limiter) cannot be shared by processes.

    def __init__(
        self,
        *,
        rates: Mapping[EndpointClass, float | FixedRate] | None = None,
        hourly_budget: int | None = None,
        kept_for_high: float = 0.1,
        max_pause: float = MAX_PAUSE,
        burst: int = 1,
        on_change: OnChange | None = None,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a limiter.

        Args:
            rates: Calls a second to begin with, by class of endpoint, such as `STARTING_RATES`;
                a `FixedRate` stays as it is. Classes that are left out begin without a limit.
            hourly_budget: Calls an hour of one app in one shop, as development shops have.
            kept_for_high: The share of it that is kept for calls of high priority.
            max_pause: Seconds that the service can stop a shop at most, whatever its Retry-After.
            burst: How many calls may go at once after a pause; the service counts within a second.
            on_change: Called with a `LimitedRate` when a rate falls, or has risen by a tenth. A
                coroutine function runs as a task; exceptions are only logged.
            clock: Seconds that only go forward.
            unix_clock: Unix seconds; read once for each shop, to find where its hours begin.
        """
        self._paces = paces(rates)
        self._max_pause = check_max_pause(max_pause)
        budget = new_budget(hourly_budget, kept_for_high)
        self._accounts = Accounts(budget, max_pause, unix_clock)
        self._burst = burst
        self._on_change = guarded(on_change)
        self._clock = clock
        self._gates: dict[LimitKey, _KeyState] = {}
        self._forgetting = Forgetting()

    def try_acquire(self, key: LimitKey) -> Permit | None:
        """Return a permit if nothing limits the key now; the call counts from then on."""
        gate = self._gates.get(key) or self._new_gate(key)
        if gate.pace is not None or gate.account.limited:
            return None
        recent, now = gate.recent, self._clock()
        if now - recent.since >= WINDOW:
            recent.turn(now)
        recent.calls += 1
        return gate.permit

    async def acquire(self, key: LimitKey, priority: Priority = "normal") -> Permit:
        """Return when the call may go; `RateLimitError` if the hour's budget is used up.

        The call counts from then on. It is not counted if this is cancelled.
        """
        return self.try_acquire(key) or await self._in_turn(self._gates[key], priority)

    def is_current(self, permit: Permit) -> bool:
        """Whether no throttle came since; if one did, acquire again before sending."""
        gate = self._gates.get(permit.key)
        if gate is None:
            return True
        now = self._clock()
        if permit.round < gate.permit.round or now < self._stop(gate.account):
            return False
        return gate.pace is None or now >= gate.pace.held_until

    def give_back(self, permit: Permit) -> None:
        """Undo a permit whose call was not sent; its turn goes to the next call that waits."""
        gate = self._gates.get(permit.key)
        if gate is None:
            return
        if self.is_current(permit):
            self._pass_on(gate)
        else:
            gate.account.take_back()

    async def throttled(
        self, permit: Permit, *, retry_after: float | None = None, quota: bool = False
    ) -> None:
        """Learn that the call was refused; see `Limiter`."""
        key = permit.key
        gate = self._gates.get(key) or self._new_gate(key)
        retry_after = bounded(retry_after, self._max_pause)
        if quota:
            self._pause(gate.account, retry_after)
            return
        now = self._clock()
        if gate.pace is None:
            start = STARTING_RATES[key.endpoint_class]
            gate.pace = awakened(gate.recent.per_second(now), start, now, retry_after)
        else:
            gate.pace = throttled(gate.pace, permit.round, now, retry_after)
        gate.used_at = now
        if gate.pace.round != gate.permit.round:
            gate.permit = Permit(key, gate.pace.round)
            self._tell(gate)
        self._arm(gate)

    def observe(self) -> list[LimitedRate]:
        """Return what each key is limited to now."""
        return [self._seen(gate) for gate in self._gates.values()]

    async def _in_turn(self, gate: _KeyState, priority: Priority) -> Permit:
        account = gate.account
        refusal = account.refusal(self._clock(), priority, waiting=account.waiting)
        if refusal is not None:
            try:
                raise refusal
            finally:
                del refusal  # or the error would hold this frame, and this frame the error
        if not gate.lanes and self._take(gate, backlog=False):
            return self._grant_turn(gate)
        waiter = gate.lanes.join(priority)
        account.waiting += 1
        if gate.timer is None:
            self._arm(gate)
        try:
            return await waiter
        except asyncio.CancelledError:
            if was_granted(waiter):
                self._pass_on(gate)
            else:
                account.waiting -= gate.lanes.leave(waiter)
                if not gate.lanes:
                    self._arm(gate)
            raise
        finally:
            del waiter  # it may hold the error that is raised, which holds this frame

    def _take(self, gate: _KeyState, *, backlog: bool) -> bool:
        """Take a turn, if there is one now."""
        if gate.pace is None:
            return True
        now = self._clock()
        gate.pace, turns = reserve(gate.pace, now, 1, ahead=0.0, backlog=backlog, burst=self._burst)
        gate.used_at = now
        return turns.count > 0

    def _grant_turn(self, gate: _KeyState) -> Permit:
        now = self._clock()
        gate.account.count(now)
        if gate.pace is None:
            if now - gate.recent.since >= WINDOW:
                gate.recent.turn(now)
            gate.recent.calls += 1
        elif gate.pace.rate > gate.told * NOTICEABLE:
            self._tell(gate)
        return gate.permit

    def _serve(self, gate: _KeyState) -> None:
        """Let go whose turn has come."""
        gate.timer = None
        while gate.lanes and self._take(gate, backlog=True):
            self._grant_next(gate)
        self._arm(gate)

    def _grant_next(self, gate: _KeyState) -> bool:
        """Let one go that the budget has calls for; False if nobody is left."""
        while (priority := gate.lanes.next_priority()) is not None:
            waiter = gate.lanes.pop()
            gate.account.waiting -= 1
            refusal = gate.account.refusal(self._clock(), priority)
            if refusal is not None:
                refuse(waiter, refusal)
            elif not waiter.done():
                return grant(waiter, self._grant_turn(gate))
        return False

    def _pass_on(self, gate: _KeyState) -> None:
        """Give a turn that is not used to the next in line."""
        gate.account.take_back()
        if gate.pace is None:
            gate.recent.calls = max(0, gate.recent.calls - 1)
        if not self._grant_next(gate) and gate.pace is not None:
            gate.pace = returned(gate.pace)

    def _arm(self, gate: _KeyState) -> None:
        """Wake up when the next turn comes, if anybody waits for it."""
        if gate.timer is not None:
            gate.timer.cancel()
            gate.timer = None
        if gate.lanes and gate.pace is not None:
            next_at = max(gate.pace.next_at, gate.pace.held_until)
            loop = asyncio.get_running_loop()
            gate.timer = loop.call_later(max(0.0, next_at - self._clock()), self._serve, gate)

    def _pause(self, account: Account, retry_after: float | None) -> None:
        account.pause(self._clock(), retry_after)
        account.waiting = 0
        for gate in self._gates.values():
            if gate.account is account:
                gate.lanes.refuse_all(lambda: paused(account.paused_until - self._clock()))
                self._arm(gate)

    def _stop(self, account: Account) -> float:
        """Return until when nothing goes; the one call on trial is not stopped by itself."""
        return account.paused_until if account.on_trial else -inf

    def _new_gate(self, key: LimitKey) -> _KeyState:
        now = self._clock()
        for unused in self._forgetting.due(now, self._needed_until):
            self._forget(unused)
        self._forgetting.add(key, now)
        account = self._accounts.join(key, now)
        gate = self._gates[key] = _KeyState(key, self._paces.get(key.endpoint_class), account)
        gate.used_at = now
        gate.told = gate.pace.rate if gate.pace else 0.0
        return gate

    def _needed_until(self, key: LimitKey) -> float:
        gate = self._gates[key]
        if gate.lanes:
            return self._clock() + FORGET_AFTER
        used_at = max(gate.used_at, gate.recent.since, gate.pace.held_until if gate.pace else 0)
        return max(used_at + FORGET_AFTER, gate.account.matters_until)

    def _forget(self, key: LimitKey) -> None:
        del self._gates[key]
        self._accounts.leave(key)

    def _tell(self, gate: _KeyState) -> None:
        gate.told = gate.pace.rate if gate.pace else 0.0
        if self._on_change is not None:
            self._on_change.call_soon(self._seen(gate))

    def _seen(self, gate: _KeyState) -> LimitedRate:
        pace = gate.pace
        held_for = pace.held_until - self._clock() if pace else 0.0
        return rate_of(gate.permit.key, pace.rate if pace else None, held_for, len(gate.lanes))
