"""A limiter that processes and machines share through Redis."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

try:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
except ImportError as error:
    raise ImportError(
        "RedisLimiter needs a further package: pip install 'tiktok-shop-async[redis]'",
        name=error.name,
    ) from error

from .._internal.closing import ClosedOnExit
from .._internal.waiting import cancel_and_wait
from .._storage.redis import close_client, new_client
from ..errors import ClientClosedError, InvalidArgumentError
from ..options import Priority
from ..pipeline.admission.limiter import EndpointClass, LimitKey, Permit
from .budget import (
    MAX_PAUSE,
    Accounts,
    HourlyBudget,
    bounded,
    check_max_pause,
    new_budget,
    paused,
    spent,
)
from .decision import Decision
from .forgetting import FORGET_AFTER, Forgetting
from .lanes import Lanes, grant, was_granted
from .local_fallback import Known, LocalFallback
from .observing import NOTICEABLE, LimitedRate, OnChange, guarded, logger, rate_of, shop_hash
from .rates import STARTING_RATES, FixedRate, paces
from .redis_script import DECIDE

AHEAD = 0.1
"""Seconds by which a turn is taken beforehand at most: so late is a process that has the turns
of others before its own, or that has not heard of a throttle."""
BATCH = 0.05
"""Seconds whose turns are taken with one question."""
LISTEN = 0.1
"""Seconds until a process asks if something was throttled in another one."""
PATIENCE = 1.0
"""Seconds that Redis may take for an answer."""
AWAY = 5.0
"""Seconds until Redis is asked again after it did not answer."""
LONGEST_SLEEP = 1.0


class _KeyState:
    """What this process knows about one key, and who waits here."""

    def __init__(self, key: LimitKey, prefix: str, alone: LocalFallback) -> None:
        shop = f"{prefix}limit:{{{shop_hash(key)}}}"  # braces: one node of a cluster has all three
        name = f"{shop}:{key.endpoint_class}"
        self.keys = (name, f"{name}:recent", f"{shop}:account")
        self.permit = Permit(key, 0)
        self.lanes = Lanes()
        self.server: asyncio.Task[None] | None = None
        self.open_until = -inf
        self.calls = 0
        """Those that went since Redis was told of them."""
        self.given_back = 0
        """Permits of unsent calls that were not reported to Redis yet."""
        self.rate: float | None = None
        self.held_until = -inf
        self.as_of = -inf
        """Time of Redis of what is known."""
        self.told = 0.0
        self.used_at = 0.0
        self.alone = alone


class RedisLimiter(ClosedOnExit):
    """A `LearningLimiter` whose rates and budget are shared by all who use the same Redis.

    Turns are taken from Redis a fraction of a second ahead; the lanes of priority are those of a
    process. While Redis cannot be reached, each process goes on by itself at ``share_alone`` of
    the last rate. Use it as an async context manager, or call `aclose` when done.
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a limiter; nothing is connected before it is used.

        Args:
            server: A URL such as ``redis://localhost:6379/0``, or a client, which is borrowed and
                never closed.
            prefix: Begins the names of all its keys, which expire when they are not used.
            rates: See `LearningLimiter`; all processes should give the same.
            hourly_budget: See `LearningLimiter`; with one, each call asks Redis.
            kept_for_high: See `LearningLimiter`.
            max_pause: See `LearningLimiter`.
            burst: See `LearningLimiter`.
            share_alone: What a process takes of the last known rate, and of the hourly budget,
                while Redis is away: about one divided by the number of processes.
            on_change: See `LearningLimiter`; called for what this process learns of.
            clock: Seconds that only go forward; the time that counts is that of Redis.
        """
        if not 0 < share_alone <= 1:
            raise InvalidArgumentError("share_alone is no share.", argument="share_alone")
        self._owns_client = isinstance(server, str)
        self._client: Any = (
            new_client(server, timeout=PATIENCE, retry=Retry(NoBackoff(), 1))
            if isinstance(server, str)
            else server
        )
        self._script = self._client.register_script(DECIDE)
        self._prefix = prefix
        self._paces = paces(rates)
        self._budget = new_budget(hourly_budget, kept_for_high)
        self._max_pause = check_max_pause(max_pause)
        self._burst = burst
        self._share_alone = share_alone
        self._on_change = guarded(on_change)
        self._clock = clock
        self._gates: dict[LimitKey, _KeyState] = {}
        self._paused_until: dict[tuple[str, str], float] = {}
        self._accounts = Accounts(self._share_of(self._budget), max_pause, time.time)
        """What this process has used of its share while Redis was away."""
        self._away_until = -inf
        self._is_away = False
        self._forgetting = Forgetting()
        self._closed = False

    def __repr__(self) -> str:
        return f"<RedisLimiter {self._prefix}>"

    def try_acquire(self, key: LimitKey) -> Permit | None:
        """Return a permit if, by what Redis said last, nothing limits the key now."""
        gate = self._gates.get(key) or self._new_gate(key)
        if self._clock() >= gate.open_until:
            return None
        gate.calls += 1
        return gate.permit

    async def acquire(self, key: LimitKey, priority: Priority = "normal") -> Permit:
        """Return when the call may go; `RateLimitError` if the hour's budget is used up."""
        if (permit := self.try_acquire(key)) is not None:
            return permit
        gate = self._gates[key]
        if self._closed:
            raise ClientClosedError("the limiter is closed.", hint="Make a new one.")
        if (left := self._pause_left(key)) > 0:
            raise paused(left)
        waiter = gate.lanes.join(priority)
        if gate.server is None or gate.server.done():
            gate.server = asyncio.create_task(self._serve(gate))
        try:
            return await waiter
        except asyncio.CancelledError:
            if was_granted(waiter):
                self.give_back(waiter.result())
            else:
                gate.lanes.leave(waiter)
            raise
        finally:
            del waiter  # it may hold the error that is raised, which holds this frame

    def is_current(self, permit: Permit) -> bool:
        """Whether this process knows of no throttle since; if it does, acquire again."""
        gate = self._gates.get(permit.key)
        if gate is None:
            return True
        if permit.round < gate.permit.round or self._pause_left(permit.key) > 0:
            return False
        return self._clock() >= gate.held_until

    def give_back(self, permit: Permit) -> None:
        """Undo a permit whose call was not sent; its turn goes to the next call that waits here.

        If no call waits, the next request to Redis reports it, for the sake of the hourly budget.
        """
        gate = self._gates.get(permit.key)
        if gate is None:
            return
        if not (self.is_current(permit) and self._grant_turn(gate)):
            gate.given_back += 1

    async def throttled(
        self, permit: Permit, *, retry_after: float | None = None, quota: bool = False
    ) -> None:
        """Learn that the call was refused, and have all others learn it; see `Limiter`."""
        gate = self._gates.get(permit.key) or self._new_gate(permit.key)
        gate.open_until = -inf
        retry_after = bounded(retry_after, self._max_pause)
        facts = {
            "round": permit.round,
            "retry_after": retry_after,
            "quota": quota,
            "first_rate": STARTING_RATES[permit.key.endpoint_class],
        }
        answer = await self._ask("throttled", gate, facts)
        if answer is None:
            answer = gate.alone.throttled(permit, self._clock(), retry_after, quota=quota)
        self._learn(gate, answer)

    def observe(self) -> list[LimitedRate]:
        """Return what this process last heard of each key that it uses."""
        return [self._seen(gate) for gate in self._gates.values()]

    async def aclose(self) -> None:
        """End all waits; close the connections, unless the client is borrowed.

        Tasks of an ``on_change`` that is a coroutine function are awaited.
        """
        self._closed = True
        await cancel_and_wait(*(gate.server for gate in self._gates.values()))
        if self._on_change is not None:
            await self._on_change.settle()
        if self._owns_client:
            await close_client(self._client)

    async def _serve(self, gate: _KeyState) -> None:
        """Take turns from Redis and hand them out, as long as somebody waits."""
        backlog = False
        try:
            while gate.lanes:
                answer = await self._take(gate, backlog=backlog)
                heard_at = self._clock()
                self._learn(gate, answer)
                if answer.status == "open":
                    for _ in range(answer.count):
                        self._grant_turn(gate)
                elif answer.status == "paced":
                    await self._hand_out(gate, answer, heard_at)
                backlog = True
        except asyncio.CancelledError:
            gate.lanes.refuse_all(lambda: ClientClosedError("the limiter was closed."))
            raise
        except Exception as error:  # nobody awaits this task, and nobody must wait for ever
            cause = error
            gate.lanes.refuse_all(lambda: cause)

    async def _take(self, gate: _KeyState, *, backlog: bool) -> Decision:
        head = gate.lanes.next_priority()
        assert head is not None, "somebody waits"
        limited = self._budget.calls < inf
        batch = inf if gate.rate is None else max(1, int(gate.rate * BATCH))
        wanted = 1 if limited else int(min(len(gate.lanes), batch))
        allowed = self._budget.allowed(head)
        given_back, gate.given_back = gate.given_back, 0
        facts = {
            "given_back": given_back,
            "wanted": wanted,
            "ahead": AHEAD,
            "backlog": backlog,
            "burst": self._burst,
            "allowed": allowed if limited else None,
        }
        answer = await self._ask("take", gate, facts)
        if answer is None:
            answer = gate.alone.take(
                self._clock(), wanted, head, ahead=AHEAD, backlog=backlog, burst=self._burst
            )
        if answer.status == "spent":
            gate.lanes.refuse_all(lambda: spent(answer.until), also_high=head == "high")
        return answer

    async def _hand_out(self, gate: _KeyState, answer: Decision, heard_at: float) -> None:
        """Let calls go one by one as their turns come; a throttle ends that."""
        if not answer.count:
            left = answer.until - AHEAD / 2
            await asyncio.sleep(min(max(left, 0.001), LONGEST_SLEEP))
            return
        held_until = gate.held_until + BATCH  # measured anew with each answer: never quite the same
        for n in range(answer.count):
            left = heard_at + answer.first + n * answer.interval - self._clock()
            if left > 0:
                await asyncio.sleep(left)
            if gate.permit.round != answer.round or gate.held_until > held_until:
                return
            self._grant_turn(gate)

    def _grant_turn(self, gate: _KeyState) -> bool:
        """Give a turn to the next in line; False if nobody waits."""
        while gate.lanes:
            if grant(gate.lanes.pop(), gate.permit):
                return True
        return False

    def _learn(self, gate: _KeyState, answer: Decision) -> None:
        if gate.as_of - PATIENCE < answer.as_of < gate.as_of:
            return  # it was overtaken by a later one; if much older, Redis's clock was set back
        gate.as_of = answer.as_of
        now, key = self._clock(), gate.permit.key
        gate.used_at = now
        match answer.status:
            case "open":
                gate.rate = None
                if self._budget.calls == inf:
                    gate.open_until = now + LISTEN
                if gate.permit.round:
                    gate.permit = Permit(key, 0)
            case "paused":
                self._paused_until[key.app_key, key.shop] = now + answer.until
                for other in self._gates.values():
                    if other.keys[-1] == gate.keys[-1]:
                        other.open_until = -inf
                        other.lanes.refuse_all(lambda: paused(answer.until))
            case "paced":
                gate.rate = 1 / answer.interval
                gate.open_until = -inf
                gate.held_until = now + answer.held_for
                changed = gate.permit.round != answer.round
                if changed:
                    gate.permit = Permit(key, answer.round)
                if changed or gate.rate > gate.told * NOTICEABLE:
                    gate.told = gate.rate
                    if self._on_change is not None:
                        self._on_change.call_soon(self._seen(gate))

    async def _ask(self, event: str, gate: _KeyState, facts: Mapping[str, Any]) -> Decision | None:
        """Return what Redis decides, or None if it cannot be reached."""
        if self._clock() < self._away_until:
            return None
        calls, gate.calls = gate.calls, 0
        options = {
            "calls": calls,
            "forget_after": FORGET_AFTER,
            "max_pause": self._max_pause,
            **facts,
        }
        pace = self._paces.get(gate.permit.key.endpoint_class)
        if pace is not None:
            options |= {"start": pace.low, "fixed": pace.fixed}
        told = json.dumps({name: value for name, value in options.items() if value is not None})
        try:
            async with asyncio.timeout(PATIENCE):
                reply = await self._script(keys=gate.keys, args=[event, told])
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self._away_until = self._clock() + AWAY
            if not self._is_away:
                self._is_away = True
                logger.warning(
                    "%r: Redis does not answer (%s); going on at %g of the last known rates",
                    self,
                    type(error).__name__,
                    self._share_alone,
                )
            return None
        if self._is_away:
            self._is_away = False
            logger.info("%r: Redis answers again", self)
        gate.alone.end()
        return Decision.from_redis(reply)

    def _pause_left(self, key: LimitKey) -> float:
        if not self._paused_until:
            return 0.0
        return self._paused_until.get((key.app_key, key.shop), -inf) - self._clock()

    def _new_gate(self, key: LimitKey) -> _KeyState:
        now = self._clock()
        for unused in self._forgetting.due(now, self._needed_until):
            self._forget(unused)
        self._forgetting.add(key, now)
        start = self._paces.get(key.endpoint_class)
        alone = LocalFallback(key, start, self._accounts.join(key, now), self._share_alone)
        gate = self._gates[key] = _KeyState(key, self._prefix, alone)
        alone.known = lambda: Known(gate.as_of, gate.rate, gate.permit.round, gate.held_until)
        gate.used_at = now
        return gate

    def _share_of(self, budget: HourlyBudget) -> HourlyBudget:
        return HourlyBudget(budget.calls * self._share_alone, budget.kept * self._share_alone)

    def _needed_until(self, key: LimitKey) -> float:
        gate, shop = self._gates[key], (key.app_key, key.shop)
        if gate.lanes:
            return self._clock() + FORGET_AFTER
        used_at = max(gate.used_at, gate.held_until)
        paused_until = self._paused_until.get(shop, -inf)
        return max(used_at + FORGET_AFTER, paused_until, self._accounts[shop].matters_until)

    def _forget(self, key: LimitKey) -> None:
        del self._gates[key]
        if self._accounts.leave(key):
            self._paused_until.pop((key.app_key, key.shop), None)

    def _seen(self, gate: _KeyState) -> LimitedRate:
        held_for = gate.held_until - self._clock()
        return rate_of(gate.permit.key, gate.rate, held_for, len(gate.lanes))
