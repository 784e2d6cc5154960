"""A limiter that processes and machines share through Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from math import inf
from typing import Any

try:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ImportError as error:
    raise ImportError(
        "RedisLimiter needs a further package: pip install 'tiktok-shop-async[redis]'",
        name=error.name,
    ) from error

from ..._internal.clock import TimeSource
from ..._internal.closing import ClosedOnExit
from ..._internal.waiting import cancel_and_wait
from ..._storage.redis import close_client, new_client
from ...errors import ClientClosedError, InvalidArgumentError
from ...options import Priority
from ...pipeline.admission.limiter import EndpointClass, LimitKey, Permit
from ..budget import (
    MAX_PAUSE,
    Accounts,
    HourlyBudget,
    bounded,
    check_max_pause,
    new_budget,
    paused,
    spent,
)
from ..clocks import limiter_clock
from ..limited_rate import MIN_RISE, LimitedRate, OnChange, guarded_callback, observed_rate
from ..rate_state import Demand
from ..rates import STARTING_RATES, FixedRate, initial_states
from ..wait_queue import grant, was_granted
from .decision import Decision
from .redis_decisions import RESPONSE_TIMEOUT, RedisDecisions
from .redis_state import KeyState, KeyStates

AHEAD = 0.1
"""Maximum seconds by which calls are reserved ahead. A process is late by at most as much: when
others reserved calls before it, or while it does not know of a throttle in another process."""
BATCH = 0.05
"""Seconds whose calls are reserved in one request to Redis."""
OPEN_FOR = 0.1
"""Seconds for which calls are sent without a request to Redis after it decided that nothing limits
them; then the process asks if another one was throttled."""
MAX_AGE = 1.0
"""Seconds by which a decision can be older than the last one only because another one overtook it;
if it is much older, the clock of Redis was set back."""
MIN_SLEEP, MAX_SLEEP = 0.001, 1.0


class RedisLimiter(ClosedOnExit):
    """A `LearningLimiter` whose rates and budget are shared by all processes of one Redis.

    Calls are reserved in Redis a fraction of a second ahead; priorities apply within a process.
    While Redis cannot be reached, each process continues by itself at ``share_alone`` of the last
    rate. Use it as an async context manager, or call `aclose` when done.
    """

    def __init__(
        self,
        server: str | Redis,
        *,
        prefix: str = "tiktok-shop:",
        rates: Mapping[EndpointClass, float | FixedRate] | None = None,
        hourly_budget: int | None = None,
        kept_for_high: float = 0.1,
        max_pause: float = MAX_PAUSE,
        burst: int = 1,
        share_alone: float = 0.25,
        on_change: OnChange | None = None,
        clock: TimeSource = time.monotonic,
    ) -> None:
        """Create a limiter; it connects when it is first used.

        Args:
            server: A URL such as ``redis://localhost:6379/0``, or a client, which is borrowed and
                never closed.
            prefix: The start of the names of all its keys, which expire when they are not used.
            rates: See `LearningLimiter`; all processes should use the same.
            hourly_budget: See `LearningLimiter`; with one, each call sends a request to Redis.
            kept_for_high: See `LearningLimiter`.
            max_pause: See `LearningLimiter`.
            burst: See `LearningLimiter`.
            share_alone: The part of the last known rate, and of the hourly budget, that a process
                uses while Redis cannot be reached: about one divided by the number of processes.
            on_change: See `LearningLimiter`; called for changes that this process receives.
            clock: A clock, or a function that returns seconds that never go back. Rates and the
                budget follow the clock of Redis.
        """
        if not 0 < share_alone <= 1:
            raise InvalidArgumentError(
                f"share_alone must be above 0 and at most 1, not {share_alone!r}.",
                argument="share_alone",
            )
        self._owns_client = isinstance(server, str)
        self._client: Any = (
            new_client(server, timeout=RESPONSE_TIMEOUT, retry=Retry(NoBackoff(), 1))
            if isinstance(server, str)
            else server
        )
        self._prefix = prefix
        self._budget = new_budget(hourly_budget, kept_for_high)
        self._max_pause = check_max_pause(max_pause)
        self._burst = burst
        self._on_change = guarded_callback(on_change)
        self._clock = limiter_clock(clock)
        self._now = self._clock.monotonic
        self._decisions = RedisDecisions(
            self._client, self._clock, max_pause=max_pause, log_as=repr(self)
        )
        local_budget = HourlyBudget(
            self._budget.calls * share_alone, self._budget.kept * share_alone
        )
        accounts = Accounts(local_budget, max_pause, self._clock)
        self._states = KeyStates(prefix, initial_states(rates), accounts, self._now, share_alone)
        self._closed = False

    def __repr__(self) -> str:
        return f"<RedisLimiter {self._prefix}>"

    # The Limiter Protocol -------------------------------------------------------------------------

    def try_acquire(self, key: LimitKey) -> Permit | None:
        """Return a permit if nothing limits the key now, by the last decision of Redis."""
        state = self._states[key]
        if self._now() >= state.open_until:
            return None
        state.calls += 1
        return state.permit

    async def acquire(self, key: LimitKey, priority: Priority = "normal") -> Permit:
        """Wait until the call may be sent; `RateLimitError` if the hour's budget is used up."""
        if (permit := self.try_acquire(key)) is not None:
            return permit
        state = self._states[key]
        if self._closed:
            raise ClientClosedError("the limiter is closed.", hint="Create a new one.")
        if (left := self._states.pause_left(key)) > 0:
            raise paused(left)
        waiter = state.queue.join(priority)
        if state.task is None or state.task.done():
            state.task = asyncio.create_task(self._serve(state))
        try:
            return await waiter
        except asyncio.CancelledError:
            if was_granted(waiter):
                self.give_back(waiter.result())
            else:
                state.queue.leave(waiter)
            raise
        finally:
            del waiter  # it may contain the raised error, which refers to this frame

    def is_current(self, permit: Permit) -> bool:
        """Return whether no throttle since is known here; if one is, acquire again."""
        state = self._states.get(permit.key)
        if state is None:
            return True
        if permit.round < state.permit.round or self._states.pause_left(permit.key) > 0:
            return False
        return self._now() >= state.held_until

    def give_back(self, permit: Permit) -> None:
        """Undo a permit whose call was not sent; the next call that waits here gets its turn.

        If no call waits, the next request to Redis reports it, for the sake of the hourly budget.
        """
        state = self._states.get(permit.key)
        if state is None:
            return
        if not (self.is_current(permit) and self._grant_next(state)):
            state.given_back += 1

    async def throttled(
        self, permit: Permit, *, retry_after: float | None = None, quota: bool = False
    ) -> None:
        """Lower the rate in all processes because the call was refused; see `Limiter`."""
        state = self._states[permit.key]
        state.open_until = -inf
        retry_after = bounded(retry_after, self._max_pause)
        facts = {
            "round": permit.round,
            "retry_after": retry_after,
            "quota": quota,
            "first_rate": STARTING_RATES[permit.key.endpoint_class],
        }
        decision = await self._decisions.decide("throttled", state, facts)
        if decision is None:
            now, fallback = self._now(), state.fallback
            decision = (
                fallback.pause(now, retry_after, state.known)
                if quota
                else fallback.throttled(permit, now, retry_after, state.known)
            )
        self._apply(state, decision)

    def observe(self) -> list[LimitedRate]:
        """Return the last known limit of each key that this process uses."""
        return [self._observed(state) for state in self._states.values()]

    async def aclose(self) -> None:
        """Refuse all waiting calls; close the connections, unless the client is borrowed.

        Tasks of an ``on_change`` that is a coroutine function are awaited.
        """
        self._closed = True
        await cancel_and_wait(*(state.task for state in self._states.values()))
        if self._on_change is not None:
            await self._on_change.settle()
        if self._owns_client:
            await close_client(self._client)

    # Granting -------------------------------------------------------------------------------------

    async def _serve(self, state: KeyState) -> None:
        """Reserve calls in Redis and grant them, as long as a call waits."""
        backlog = False
        try:
            while state.queue:
                decision = await self._reserve(state, backlog=backlog)
                decided_at = self._now()
                self._apply(state, decision)
                if decision.status == "open":
                    for _ in range(decision.count):
                        self._grant_next(state)
                elif decision.status == "paced":
                    await self._grant_paced(state, decision, decided_at)
                backlog = True
        except asyncio.CancelledError:
            state.queue.refuse_all(lambda: ClientClosedError("the limiter was closed."))
            raise
        except Exception as error:  # nothing awaits this task, and no call may wait forever
            cause = error
            state.queue.refuse_all(lambda: cause)

    async def _reserve(self, state: KeyState, *, backlog: bool) -> Decision:
        priority = state.queue.next_priority()
        assert priority is not None, "a call waits"
        limited = self._budget.calls < inf
        batch = inf if state.rate is None else max(1, int(state.rate * BATCH))
        wanted = 1 if limited else int(min(len(state.queue), batch))
        demand = Demand(wanted, ahead=AHEAD, backlog=backlog, burst=self._burst)
        given_back, state.given_back = state.given_back, 0
        facts = {
            "given_back": given_back,
            "wanted": demand.wanted,
            "ahead": demand.ahead,
            "backlog": demand.backlog,
            "burst": demand.burst,
            "allowed": self._budget.allowed(priority) if limited else None,
        }
        decision = await self._decisions.decide("take", state, facts)
        if decision is None:
            decision = state.fallback.take(self._now(), priority, demand, state.known)
        if decision.status == "spent":
            until = decision.until
            state.queue.refuse_all(lambda: spent(until), also_high=priority == "high")
        return decision

    async def _grant_paced(self, state: KeyState, decision: Decision, decided_at: float) -> None:
        """Grant the reserved calls one by one, each at its time; stop after a throttle."""
        if not decision.count:
            left = decision.until - AHEAD / 2
            await self._clock.sleep(min(max(left, MIN_SLEEP), MAX_SLEEP))
            return
        # Each decision measures the end of a hold anew, and never gets quite the same.
        held_until = state.held_until + BATCH
        for n in range(decision.count):
            left = decided_at + decision.first + n * decision.interval - self._now()
            if left > 0:
                await self._clock.sleep(left)
            if state.permit.round != decision.round or state.held_until > held_until:
                return
            self._grant_next(state)

    def _grant_next(self, state: KeyState) -> bool:
        """Grant the next call in the queue; False if none waits."""
        while state.queue:
            if grant(state.queue.pop(), state.permit):
                return True
        return False

    # Decisions ------------------------------------------------------------------------------------

    def _apply(self, state: KeyState, decision: Decision) -> None:
        """Take over a decision, unless a later one overtook it."""
        if state.as_of - MAX_AGE < decision.as_of < state.as_of:
            return
        state.as_of = decision.as_of
        now = self._now()
        state.used_at = now
        match decision.status:
            case "open":
                state.rate = None
                if self._budget.calls == inf:
                    state.open_until = now + OPEN_FOR
                if state.permit.round:
                    state.permit = Permit(state.permit.key, 0)
            case "paused":
                self._states.pause(state.permit.key, decision.until)
            case "paced":
                self._pace(state, now, decision)

    def _pace(self, state: KeyState, now: float, decision: Decision) -> None:
        """Limit the key to the rate of a decision."""
        state.rate = 1 / decision.interval
        state.open_until = -inf
        state.held_until = now + decision.held_for
        is_new_round = state.permit.round != decision.round
        if is_new_round:
            state.permit = Permit(state.permit.key, decision.round)
        if is_new_round or state.rate > state.emitted_rate * MIN_RISE:
            state.emitted_rate = state.rate
            if self._on_change is not None:
                self._on_change.call_soon(self._observed(state))

    def _observed(self, state: KeyState) -> LimitedRate:
        held_for = state.held_until - self._now()
        return observed_rate(state.permit.key, state.rate, held_for, len(state.queue))
