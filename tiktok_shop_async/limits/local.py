"""A limiter for one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from math import inf

from .._internal.clock import TimeSource
from ..options import Priority
from ..pipeline.admission.limiter import EndpointClass, LimitKey, Permit
from .budget import MAX_PAUSE, Account, Accounts, bounded, check_max_pause, new_budget, paused
from .clocks import limiter_clock
from .expiry import KEY_TTL, ExpiryQueue
from .limited_rate import MIN_RISE, LimitedRate, OnChange, guarded_callback, observed_rate
from .rate_state import Demand, RateState, first_throttle, release, reserve, throttle
from .rates import STARTING_RATES, FixedRate, initial_states
from .recent_calls import WINDOW, RecentCalls
from .wait_queue import WaitQueue, grant, refuse, was_granted


class _KeyState:
    """The limit of one key, and the calls that wait for it."""

    def __init__(self, key: LimitKey, limit: RateState | None, account: Account) -> None:
        self.limit = limit
        """None as long as nothing limits the key."""
        self.account = account
        self.permit = Permit(key, 0)
        self.recent = RecentCalls()
        self.queue = WaitQueue()
        self.timer: asyncio.TimerHandle | None = None
        self.used_at = 0.0
        self.emitted_rate = 0.0
        """The rate that ``on_change`` received last."""


class LearningLimiter:
    """A rate limiter that learns the rates of each app, shop and class of endpoints.

    Nothing is limited before the first throttle, unless ``rates`` give a rate to begin with.
    Clients of one event loop may share it; what it learned is lost when the process ends.
    `RedisLimiter` shares it between processes.
    """

    # Limiters such as aiolimiter, limits, pyrate-limiter or throttled-py keep to the rates that
    # they are given, and those that learn (botocore, aimd-limiter) cannot be shared by processes.

    def __init__(
        self,
        *,
        rates: Mapping[EndpointClass, float | FixedRate] | None = None,
        hourly_budget: int | None = None,
        kept_for_high: float = 0.1,
        max_pause: float = MAX_PAUSE,
        burst: int = 1,
        on_change: OnChange | None = None,
        clock: TimeSource = time.monotonic,
        unix_clock: TimeSource | None = None,
    ) -> None:
        """Create a limiter.

        Args:
            rates: Calls a second to begin with, by class of endpoints, such as `STARTING_RATES`;
                a `FixedRate` never changes. Classes that are left out begin without a limit.
            hourly_budget: Calls an hour of one app in one shop, for development shops.
            kept_for_high: The part of it that is reserved for calls of high priority.
            max_pause: Maximum seconds for which the service can pause a shop, whatever its
                Retry-After.
            burst: How many calls may be sent at once after a pause; the service counts the calls
                of a second.
            on_change: Called with a `LimitedRate` when a rate falls, or has risen by a tenth. A
                coroutine function runs as a task; exceptions are only logged.
            clock: A clock, or a function that returns seconds that never go back.
            unix_clock: A clock, or a function that returns Unix seconds. It is read once for each
                shop, to find where its hours begin.
        """
        self._initial_states = initial_states(rates)
        self._max_pause = check_max_pause(max_pause)
        budget = new_budget(hourly_budget, kept_for_high)
        time_source = limiter_clock(clock, unix_clock)
        self._now = time_source.monotonic
        self._accounts = Accounts(budget, max_pause, time_source)
        self._one_now = Demand(1, burst=burst)
        self._one_waiting = Demand(1, backlog=True, burst=burst)
        self._on_change = guarded_callback(on_change)
        self._states: dict[LimitKey, _KeyState] = {}
        self._expiry = ExpiryQueue()

    # The Limiter Protocol -------------------------------------------------------------------------

    def try_acquire(self, key: LimitKey) -> Permit | None:
        """Return a permit if nothing limits the key now; the call is counted."""
        state = self._states.get(key) or self._new_state(key)
        if state.limit is not None or state.account.limited:
            return None
        recent, now = state.recent, self._now()
        if now - recent.since >= WINDOW:
            recent.start_window(now)
        recent.calls += 1
        return state.permit

    async def acquire(self, key: LimitKey, priority: Priority = "normal") -> Permit:
        """Wait until the call may be sent; the call is counted, unless this is cancelled.

        Raises `RateLimitError` if the hour's budget is used up.
        """
        return self.try_acquire(key) or await self._wait(self._states[key], priority)

    def is_current(self, permit: Permit) -> bool:
        """Return whether no throttle came since; if one did, acquire again before sending."""
        state = self._states.get(permit.key)
        if state is None:
            return True
        now = self._now()
        account = state.account
        # Once the trial call of a pause has its permit, the pause refuses only other calls.
        stopped_until = account.paused_until if account.on_trial else -inf
        if permit.round < state.permit.round or now < stopped_until:
            return False
        return state.limit is None or now >= state.limit.held_until

    def give_back(self, permit: Permit) -> None:
        """Undo a permit whose call was not sent; the next call that waits is granted instead."""
        state = self._states.get(permit.key)
        if state is None:
            return
        if self.is_current(permit):
            self._pass_on(state)
        else:
            state.account.uncount()

    async def throttled(
        self, permit: Permit, *, retry_after: float | None = None, quota: bool = False
    ) -> None:
        """Lower the rate because the call was refused; see `Limiter`."""
        key = permit.key
        state = self._states.get(key) or self._new_state(key)
        retry_after = bounded(retry_after, self._max_pause)
        if quota:
            self._pause(state.account, retry_after)
            return
        now = self._now()
        if state.limit is None:
            start = STARTING_RATES[key.endpoint_class]
            state.limit = first_throttle(state.recent.per_second(now), start, now, retry_after)
        else:
            state.limit = throttle(state.limit, permit.round, now, retry_after)
        state.used_at = now
        if state.limit.round != state.permit.round:
            state.permit = Permit(key, state.limit.round)
            self._emit_change(state)
        self._set_timer(state)

    def observe(self) -> list[LimitedRate]:
        """Return the current limit of each key."""
        return [self._observed(state) for state in self._states.values()]

    # Waiting --------------------------------------------------------------------------------------

    async def _wait(self, state: _KeyState, priority: Priority) -> Permit:
        account = state.account
        refusal = account.refusal(self._now(), priority, waiting=account.waiting)
        if refusal is not None:
            try:
                raise refusal
            finally:
                del refusal  # breaks the reference cycle of the error and this frame
        if not state.queue and self._reserve(state, self._one_now):
            return self._issue_permit(state)
        waiter = state.queue.join(priority)
        account.waiting += 1
        if state.timer is None:
            self._set_timer(state)
        try:
            return await waiter
        except asyncio.CancelledError:
            if was_granted(waiter):
                self._pass_on(state)
            else:
                account.waiting -= state.queue.leave(waiter)
                if not state.queue:
                    self._set_timer(state)
            raise
        finally:
            del waiter  # it may contain the raised error, which refers to this frame

    def _reserve(self, state: _KeyState, demand: Demand) -> bool:
        """Reserve a call that may be sent now; False if none may."""
        if state.limit is None:
            return True
        now = self._now()
        state.limit, reservation = reserve(state.limit, now, demand)
        state.used_at = now
        return reservation.count > 0

    def _issue_permit(self, state: _KeyState) -> Permit:
        """Count a call and return its permit."""
        now = self._now()
        state.account.count(now)
        if state.limit is None:
            if now - state.recent.since >= WINDOW:
                state.recent.start_window(now)
            state.recent.calls += 1
        elif state.limit.rate > state.emitted_rate * MIN_RISE:
            self._emit_change(state)
        return state.permit

    def _grant_due(self, state: _KeyState) -> None:
        """Grant all waiting calls that may be sent now."""
        state.timer = None
        while state.queue and self._reserve(state, self._one_waiting):
            self._grant_next(state)
        self._set_timer(state)

    def _grant_next(self, state: _KeyState) -> bool:
        """Grant the next call that the budget allows, and refuse those before it.

        False if no call is left.
        """
        while (priority := state.queue.next_priority()) is not None:
            waiter = state.queue.pop()
            state.account.waiting -= 1
            refusal = state.account.refusal(self._now(), priority)
            if refusal is not None:
                refuse(waiter, refusal)
            elif not waiter.done():
                return grant(waiter, self._issue_permit(state))
        return False

    def _pass_on(self, state: _KeyState) -> None:
        """Grant the next waiting call in place of one that was not sent."""
        state.account.uncount()
        if state.limit is None:
            state.recent.calls = max(0, state.recent.calls - 1)
        if not self._grant_next(state) and state.limit is not None:
            state.limit = release(state.limit)

    def _set_timer(self, state: _KeyState) -> None:
        """Schedule the next grant, if a call waits for it."""
        if state.timer is not None:
            state.timer.cancel()
            state.timer = None
        if state.queue and state.limit is not None:
            next_at = max(state.limit.next_at, state.limit.held_until)
            # A timer rather than a task: this limiter is never closed, so it must leave no task.
            loop = asyncio.get_running_loop()
            state.timer = loop.call_later(max(0.0, next_at - self._now()), self._grant_due, state)

    def _pause(self, account: Account, retry_after: float | None) -> None:
        account.pause(self._now(), retry_after)
        account.waiting = 0
        for state in self._states.values():
            if state.account is account:
                state.queue.refuse_all(lambda: paused(account.paused_until - self._now()))
                self._set_timer(state)

    # Keys -----------------------------------------------------------------------------------------

    def _new_state(self, key: LimitKey) -> _KeyState:
        now = self._now()
        for expired in self._expiry.expired(now, self._needed_until):
            del self._states[expired]
            self._accounts.leave(expired)
        self._expiry.add(key, now)
        account = self._accounts.join(key, now)
        limit = self._initial_states.get(key.endpoint_class)
        state = self._states[key] = _KeyState(key, limit, account)
        state.used_at = now
        state.emitted_rate = limit.rate if limit else 0.0
        return state

    def _needed_until(self, key: LimitKey) -> float:
        state = self._states[key]
        if state.queue:
            return self._now() + KEY_TTL
        held_until = state.limit.held_until if state.limit else 0
        used_at = max(state.used_at, state.recent.since, held_until)
        return max(used_at + KEY_TTL, state.account.needed_until)

    def _emit_change(self, state: _KeyState) -> None:
        state.emitted_rate = state.limit.rate if state.limit else 0.0
        if self._on_change is not None:
            self._on_change.call_soon(self._observed(state))

    def _observed(self, state: _KeyState) -> LimitedRate:
        limit = state.limit
        held_for = limit.held_until - self._now() if limit else 0.0
        return observed_rate(
            state.permit.key, limit.rate if limit else None, held_for, len(state.queue)
        )
