"""The limiter that processes share through a real Redis, in virtual time where possible."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from auth.databases import REDIS_URL, redis_prefix
from hypothesis import HealthCheck, given, settings
from limits.service import KEY, Service, flood
from limits.shared import TimedRedis
from limits.test_rate_state import histories, rates
from limits.virtual_time import now, run
from redis import Redis

from tiktok_shop_async import ClientClosedError, InvalidArgumentError, RateLimitError
from tiktok_shop_async.limits import EndpointClass, FixedRate, LimitKey, RedisLimiter
from tiktok_shop_async.limits.rate_state import (
    Demand,
    first_throttle,
    initial_state,
    reserve,
    throttle,
)
from tiktok_shop_async.limits.shared.decision import Decision
from tiktok_shop_async.limits.shared.redis_script import DECIDE

PROCESS = Path(__file__).with_name("process.py")
READ = attrs.evolve(KEY, endpoint_class=EndpointClass.READ)


@pytest.fixture
async def prefix() -> Any:
    async with redis_prefix() as prefix:
        yield prefix


def in_virtual_time(
    prefix: str, test: Callable[[Callable[..., RedisLimiter], TimedRedis], Awaitable[Any]]
) -> Any:
    """Run a test that creates several limiters, like several processes."""

    async def main() -> Any:
        redis = TimedRedis(now)

        def new(**options: Any) -> RedisLimiter:
            client: Any = redis
            return RedisLimiter(client, prefix=prefix, clock=now, **options)

        try:
            return await test(new, redis)
        finally:
            redis.close()

    return run(main())


@contextmanager
def decisions() -> Iterator[Any]:
    with Redis.from_url(REDIS_URL) as client:
        script = client.register_script(DECIDE)

        def decide(name: str, event: str, **options: Any) -> Decision:
            given_options = {name: value for name, value in options.items() if value is not None}
            keys = [name, f"{name}:recent", f"{name}:account"]
            reply: Any = script(keys=keys, args=[event, json.dumps(given_options)])
            return Decision.from_redis(reply)

        yield decide


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rate=rates, history=histories)
def test_redis_and_the_process_decide_alike(prefix: str, rate: float, history: Any) -> None:
    moment, state = 1_000_000_000.0, initial_state(rate)
    with decisions() as decide:
        name = f"{prefix}{time.perf_counter_ns()}"
        for kind, wait, *facts in history:
            moment += wait
            common = {"now": moment, "start": rate, "fixed": False, "ttl": 900}
            if kind == "take":
                wanted, backlog, ahead = facts
                state, reservation = reserve(
                    state, moment, Demand(wanted, ahead=ahead, backlog=backlog, burst=2)
                )
                decision = decide(
                    name, "take", wanted=wanted, backlog=backlog, ahead=ahead, burst=2,
                    calls=0, **common,
                )  # fmt: skip
                assert decision.count == reservation.count
                if reservation.count:
                    assert decision.first == pytest.approx(reservation.first - moment, abs=1e-5)
            else:
                rounds_ago, retry_after = facts
                round_ = max(0, state.round - rounds_ago)
                state = throttle(state, round_, moment, retry_after)
                decision = decide(
                    name, "throttled", round=round_, retry_after=retry_after, quota=False,
                    first_rate=2, calls=0, **common,
                )  # fmt: skip
                assert decision.interval == pytest.approx(1 / state.rate)
                assert max(decision.held_for, 0) == pytest.approx(
                    max(state.held_until - moment, 0), abs=1e-5
                )
            assert decision.round == state.round


@pytest.mark.parametrize("calls", [1, 40])
def test_redis_and_the_process_begin_alike(prefix: str, calls: int) -> None:
    moment = 1_000_000_000.0
    with decisions() as decide:
        common = {"ttl": 900}
        opened = decide(
            prefix, "take", wanted=calls, calls=0, ahead=0.2, backlog=False, burst=1,
            now=moment, **common,
        )  # fmt: skip
        assert (opened.status, opened.count) == ("open", calls)
        decision = decide(
            prefix, "throttled", round=0, quota=False, first_rate=2, calls=0,
            now=moment + 0.5, **common,
        )  # fmt: skip
    state = first_throttle(calls, 2, moment, None)
    assert (decision.round, 1 / decision.interval) == (state.round, pytest.approx(state.rate))


@pytest.mark.parametrize(("processes", "burst"), [(1, 20), (4, 3), (10, 20)])
def test_processes_use_a_changing_limit_together_and_rarely_exceed_it(
    prefix: str, processes: int, burst: int
) -> None:
    async def test(new: Callable[..., RedisLimiter], redis: TimedRedis) -> Service:
        service = Service([(60, 50), (60, 10), (60, 80)], burst=burst)
        limiters = [new() for _ in range(processes)]
        callers = max(10, 60 // processes)
        await asyncio.gather(
            *(
                flood(service, limiter, callers=callers, seed=seed)
                for seed, limiter in enumerate(limiters)
            )
        )
        for limiter in limiters:
            await limiter.aclose()
        assert redis.requests < 4 * sum(p.passed + p.throttled for p in service.phases)
        return service

    service = in_virtual_time(prefix, test)
    assert service.used >= 0.85
    assert service.throttled < 0.05


async def test_four_processes_together_stay_within_a_limit(prefix: str) -> None:
    """In real time: the clocks, the connections and the loops are what they are."""
    phases = [[5, 60]]
    job = json.dumps({"prefix": prefix, "phases": phases, "burst": 6, "callers": 20, "start": 64})
    command = (sys.executable, PROCESS, REDIS_URL, job)
    running = [
        await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE) for _ in range(4)
    ]
    outputs = [process.stdout for process in running]
    for output in outputs:
        assert output is not None
        assert await output.readline() == b"ready\n"
    said = await asyncio.gather(*(process.communicate(b"go\n") for process in running))
    counts = [json.loads(out) for out, _ in said]
    passed, refused = (
        sum(each["passed"] for each in counts),
        sum(each["throttled"] for each in counts),
    )
    assert passed >= 0.85 * sum(seconds * rate for seconds, rate in phases)
    assert refused / (passed + refused) < 0.05
    assert min(each["passed"] for each in counts) > 0, "every process gets calls"


def test_a_throttle_in_one_process_slows_the_others(prefix: str) -> None:
    async def test(new: Callable[..., RedisLimiter], redis: TimedRedis) -> None:
        one, other = new(), new()
        for _ in range(100):
            permit = await one.acquire(KEY)
            theirs = await other.acquire(KEY)
            await asyncio.sleep(0.05)
        assert redis.requests < 110, "without a throttle there are few requests"
        await one.throttled(permit, retry_after=3.0)
        assert not one.is_current(permit)
        began = now()
        await asyncio.sleep(0.25)
        await other.acquire(KEY)
        assert now() - began >= 3
        assert not other.is_current(theirs)
        assert other.observe()[0].per_second == pytest.approx(20, rel=0.3)
        await other.acquire(attrs.evolve(KEY, shop="another"))
        assert now() - began < 3.4

    in_virtual_time(prefix, test)


def test_a_budget_is_shared(prefix: str) -> None:
    async def test(new: Callable[..., RedisLimiter], _: TimedRedis) -> None:
        one, other = [new(hourly_budget=10, kept_for_high=0.2) for _ in range(2)]
        results = await asyncio.gather(
            *(limiter.acquire(key) for limiter in (one, other) for key in [KEY, READ] * 3),
            return_exceptions=True,
        )
        assert sum(isinstance(result, RateLimitError) for result in results) == 4
        await other.acquire(KEY, "high")
        await one.acquire(READ, "high")
        with pytest.raises(RateLimitError, match="used up") as refused:
            await one.acquire(KEY, "high")
        wait = refused.value.retry_after
        assert wait is not None
        await asyncio.sleep(wait)
        await other.acquire(KEY)

    in_virtual_time(prefix, test)


def test_a_used_up_quota_pauses_all_processes_and_then_allows_one_trial_call(prefix: str) -> None:
    async def test(new: Callable[..., RedisLimiter], _: TimedRedis) -> None:
        one, other = new(), new()
        permit = await one.acquire(KEY)
        await one.throttled(permit, quota=True)
        assert not one.is_current(permit)
        for limiter in (one, other):
            with pytest.raises(RateLimitError, match="quota"):
                await limiter.acquire(READ, "high")
        await asyncio.sleep(300)
        await one.acquire(KEY)
        with pytest.raises(RateLimitError):
            await other.acquire(KEY)
        await asyncio.sleep(5)
        await other.acquire(KEY)

    in_virtual_time(prefix, test)


def test_priorities_are_served_in_order_and_a_cancelled_waiter_loses_no_turn(prefix: str) -> None:
    async def test(new: Callable[..., RedisLimiter], _: TimedRedis) -> None:
        limiter, order = new(rates={EndpointClass.WRITE: FixedRate(2)}), list[str]()

        async def call(priority: Any) -> None:
            await limiter.acquire(KEY, priority)
            order.append(priority)

        tasks = [asyncio.create_task(call(each)) for each in ["low", "normal", "low", "normal"]]
        await asyncio.sleep(0.1)
        assert order == ["normal"]
        tasks += [asyncio.create_task(call("high"))]
        tasks[3].cancel()
        began = now()
        await asyncio.wait(tasks)
        assert order == ["normal", "high", "low", "low"]
        assert now() - began == pytest.approx(1.4, abs=0.01)

    in_virtual_time(prefix, test)


def test_without_redis_it_continues_at_a_lower_rate_and_recovers(
    prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(new: Callable[..., RedisLimiter], redis: TimedRedis) -> None:
        limiter = new(rates={EndpointClass.WRITE: 20}, share_alone=0.5)
        await limiter.acquire(KEY)
        redis.unreachable = True
        began = now()
        for _ in range(21):
            permit = await limiter.acquire(KEY)
        assert now() - began == pytest.approx(2, rel=0.1)
        await limiter.throttled(permit, retry_after=1.0)
        assert not limiter.is_current(permit)
        began = now()
        await limiter.acquire(KEY)
        assert now() - began >= 0.99
        assert limiter.observe()[0].per_second == pytest.approx(7.2, rel=0.1), (
            "halved, and one call up"
        )
        await asyncio.sleep(10)
        redis.unreachable = False
        await limiter.acquire(KEY)
        assert limiter.observe()[0].per_second == pytest.approx(20, rel=0.1)

    with caplog.at_level(logging.INFO, "tiktok_shop_async.limits"):
        in_virtual_time(prefix, test)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_missing_server_stops_no_calls(prefix: str) -> None:
    async with RedisLimiter("redis://127.0.0.1:1", prefix=prefix, hourly_budget=8) as limiter:
        for _ in range(2):
            await limiter.acquire(KEY, "high")
        with pytest.raises(RateLimitError):
            await limiter.acquire(KEY, "high")
        await limiter.throttled(await limiter.acquire(attrs.evolve(KEY, shop="2")), quota=True)
        with pytest.raises(RateLimitError):
            await limiter.acquire(attrs.evolve(KEY, shop="2"))


async def test_keys_name_no_shop_and_expire(prefix: str) -> None:
    key = LimitKey("app", "secret-cipher", EndpointClass.WRITE)
    async with RedisLimiter(REDIS_URL, prefix=prefix, hourly_budget=100) as limiter:
        permit = await limiter.acquire(key)
        await limiter.throttled(permit, retry_after=None)
        await limiter.throttled(await limiter.acquire(key), quota=True)
    with Redis.from_url(REDIS_URL) as client:
        names = list(client.scan_iter(match=f"{prefix}*"))
        assert len(names) == 3
        for name in names:
            assert b"secret" not in name
            assert 0 < client.ttl(name) <= 2 * 3600


async def test_closing_refuses_waiting_calls(prefix: str) -> None:
    rates = {EndpointClass.WRITE: FixedRate(0.1)}
    limiter = RedisLimiter(REDIS_URL, prefix=prefix, rates=rates)
    await limiter.acquire(KEY)
    waiting = asyncio.create_task(limiter.acquire(KEY))
    await asyncio.sleep(0.01)
    await limiter.aclose()
    with pytest.raises(ClientClosedError):
        await waiting
    with pytest.raises(ClientClosedError):
        await limiter.acquire(KEY)


@pytest.mark.parametrize("options", [{"share_alone": 0}, {"rates": {"chat": 1}}])
def test_invalid_options_are_rejected(options: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        RedisLimiter(REDIS_URL, **options)


def test_an_invalid_url_is_not_shown() -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        RedisLimiter("radish://user:password@host")
    assert "password@" not in str(refused.value).replace("user:password@host:6379", "")
