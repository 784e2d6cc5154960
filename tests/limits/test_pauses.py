"""Limits on how long a Retry-After, or a clock that is set, can stop a limiter."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from auth.databases import redis_prefix
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from limits.service import KEY
from limits.shared import TimedRedis
from limits.virtual_time import now, run

from tiktok_shop_async import InvalidArgumentError, RateLimitError
from tiktok_shop_async.limits import (
    EndpointClass,
    FixedRate,
    LearningLimiter,
    RedisLimiter,
)
from tiktok_shop_async.limits.rate_state import MAX_HOLD

READ = attrs.evolve(KEY, endpoint_class=EndpointClass.READ)
HOUR, YEAR = 3600.0, 365 * 86_400.0
A_GIGASECOND = 1e9
"""The Retry-After that locked a shop out for 31 years."""
ABSURD = [A_GIGASECOND, 1e300, math.inf, math.nan, -1.0, -math.inf, 0.0]

Limiter = LearningLimiter | RedisLimiter
Test = Callable[[Callable[..., Any], "SetClock", TimedRedis], Awaitable[Any]]


class SetClock:
    """A Unix clock that follows virtual time and can be set."""

    def __init__(self) -> None:
        self.ahead = 500_000 * HOUR

    def __call__(self) -> float:
        return now() + self.ahead

    def step(self, seconds: float) -> None:
        self.ahead += seconds


@pytest.fixture
async def prefix() -> Any:
    async with redis_prefix() as prefix:
        yield prefix


@pytest.fixture(params=["process", "redis", "redis_unreachable"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def with_limiters(kind: str, prefix: str, test: Test) -> Any:
    """Run a test in virtual time, with clocks of its own for the program and for Redis."""

    async def main() -> Any:
        clock = SetClock()
        redis = TimedRedis(clock)
        redis.unreachable = kind == "redis_unreachable"
        name = f"{prefix}{time.perf_counter_ns()}:"

        def new(**options: Any) -> Limiter:
            if kind == "process":
                return LearningLimiter(clock=now, unix_clock=clock, **options)
            client: Any = redis
            return RedisLimiter(client, prefix=name, clock=now, **options)

        try:
            return await test(new, clock, redis)
        finally:
            redis.close()

    return run(main())


async def refused(limiter: Limiter) -> RateLimitError | None:
    """Make a call, and return why it may not go; None if it may."""
    try:
        await limiter.acquire(KEY)
    except RateLimitError as error:
        return error
    return None


async def seconds_until_a_call_goes(limiter: Limiter) -> float:
    began = now()
    while (error := await refused(limiter)) is not None:
        assert error.retry_after is not None
        assert 0 < error.retry_after < math.inf
        await asyncio.sleep(error.retry_after)
    return now() - began


class TestRetryAfter:
    @pytest.mark.parametrize("retry_after", ABSURD)
    @pytest.mark.parametrize("max_pause", [None, 900.0, 60.0])
    def test_a_used_up_quota_never_stops_a_shop_for_longer_than_max_pause(
        self, kind: str, prefix: str, retry_after: float, max_pause: float | None
    ) -> None:
        async def test(new: Any, clock: SetClock, _: TimedRedis) -> None:
            limiter = new(**({} if max_pause is None else {"max_pause": max_pause}))
            await limiter.throttled(await limiter.acquire(KEY), retry_after=retry_after, quota=True)
            ceiling = max_pause or HOUR
            expected = ceiling if retry_after > ceiling else min(300.0, ceiling)
            for each in [limiter] if kind != "redis" else [limiter, new()]:
                with pytest.raises(RateLimitError) as caught:
                    await each.acquire(READ)
                assert caught.value.retry_after == pytest.approx(expected)
            assert await seconds_until_a_call_goes(limiter) == pytest.approx(expected)

        with_limiters(kind, prefix, test)

    @pytest.mark.parametrize("retry_after", ABSURD)
    def test_a_throttle_never_holds_for_longer_than_ten_minutes(
        self, kind: str, prefix: str, retry_after: float
    ) -> None:
        async def test(new: Any, clock: SetClock, _: TimedRedis) -> None:
            limiter = new(rates={EndpointClass.WRITE: FixedRate(1)})
            await limiter.throttled(await limiter.acquire(KEY), retry_after=retry_after)
            waited = await seconds_until_a_call_goes(limiter)
            interval = 4.0 if kind == "redis_unreachable" else 1.0
            expected = MAX_HOLD if retry_after > 0 else interval
            assert waited == pytest.approx(expected, abs=0.2)

        with_limiters(kind, prefix, test)

    @pytest.mark.parametrize("max_pause", [0, -1.0, math.inf, math.nan])
    def test_a_limit_of_pauses_is_a_positive_number(self, max_pause: float) -> None:
        for new in (LearningLimiter, lambda **options: RedisLimiter("redis://a", **options)):
            with pytest.raises(InvalidArgumentError) as error:
                new(max_pause=max_pause)
            assert error.value.argument == "max_pause"


steps = st.sampled_from([-YEAR, -HOUR, -1.0, 1.0, HOUR, YEAR]) | st.floats(-2 * HOUR, 2 * HOUR)
actions = st.one_of(
    st.tuples(st.just("wait"), st.floats(0, 2000)),
    st.tuples(st.just("call"), st.integers(1, 6)),
    st.tuples(st.just("throttle"), st.none() | st.floats(0, 900)),
    st.tuples(st.just("quota"), st.none() | st.floats(0, 1e6)),
)
histories = st.lists(st.tuples(st.none() | steps, actions), max_size=25)


async def lived(limiter: Limiter, history: Any, step: Callable[[float], None]) -> list[Any]:
    """Return what became of the calls of a history: when each went, or why it did not."""
    outcomes, permit = list[Any](), await limiter.acquire(KEY)
    for seconds, (kind, fact) in history:
        if seconds is not None:
            step(seconds)
        if kind == "wait":
            await asyncio.sleep(fact)
        elif kind == "call":
            for _ in range(fact):
                try:
                    permit = await limiter.acquire(KEY)
                except RateLimitError as error:
                    outcomes.append((round(now(), 3), str(error), round(error.retry_after or 0, 3)))
                else:
                    outcomes.append(round(now(), 3))
        else:
            await limiter.throttled(permit, retry_after=fact, quota=kind == "quota")
    return outcomes


any_prefix = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestClocksThatAreSet:
    @any_prefix
    @given(history=histories)
    @example(history=[(None, ("call", 20)), (HOUR, ("call", 5)), (-HOUR, ("call", 5))])
    @example(history=[(None, ("quota", None)), (-YEAR, ("wait", 300.0)), (None, ("call", 1))])
    @pytest.mark.parametrize("alone", [False, True])
    def test_within_a_process_it_changes_nothing(
        self, prefix: str, history: Any, alone: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With and without Redis, the same calls are sent at the same times as without steps."""

        def outcomes(*, stepping: bool) -> Any:
            async def test(new: Any, clock: SetClock, _: TimedRedis) -> Any:
                monkeypatch.setattr(time, "time", clock)
                limiter = new(hourly_budget=40, kept_for_high=0)
                return await lived(limiter, history, clock.step if stepping else lambda _: None)

            return with_limiters("redis_unreachable" if alone else "process", prefix, test)

        assert outcomes(stepping=True) == outcomes(stepping=False)

    @any_prefix
    @given(history=histories)
    def test_of_redis_it_delays_no_call_beyond_the_longest_delay(
        self, prefix: str, history: Any
    ) -> None:
        async def test(new: Any, clock: SetClock, _: TimedRedis) -> None:
            limiter = new(max_pause=1200.0)
            await lived(limiter, history, clock.step)
            # Another process knows nothing but what is in Redis.
            assert await seconds_until_a_call_goes(new(max_pause=1200.0)) <= 1200.0 + 20

        with_limiters("redis", prefix, test)

    @any_prefix
    @given(
        steps_back=st.lists(
            st.tuples(st.floats(0, 1000), st.sampled_from([0.5, 30.0, HOUR, YEAR])), max_size=8
        )
    )
    @example(steps_back=[(0.0, HOUR), (0.0, HOUR)])
    def test_of_redis_backwards_it_gives_no_calls(self, prefix: str, steps_back: Any) -> None:
        """An hour's calls come back once in an hour that really passed, and not before."""

        async def test(new: Any, clock: SetClock, _: TimedRedis) -> None:
            began, gone = now(), 0
            for wait, back in [(0.0, 0.0), *steps_back]:
                await asyncio.sleep(wait)
                clock.step(-back)
                limiter = new(hourly_budget=5, kept_for_high=0)
                for _ in range(6):
                    error = await refused(limiter)
                    gone += error is None
                    assert error is None or 0 < (error.retry_after or 0) <= HOUR
                await limiter.aclose()
            assert gone <= 5 * (1 + 2 * math.ceil((now() - began) / HOUR))
            if now() - began < 600:
                assert gone <= 10

        with_limiters("redis", prefix, test)

    @pytest.mark.parametrize("back", [1.0, HOUR, YEAR])
    def test_of_redis_backwards_it_makes_no_pause_longer(self, prefix: str, back: float) -> None:
        async def test(new: Any, clock: SetClock, _: TimedRedis) -> None:
            limiter = new(rates={EndpointClass.WRITE: FixedRate(1)})
            permit = await limiter.acquire(KEY)
            await limiter.throttled(permit, retry_after=5.0)
            clock.step(-back)
            assert await seconds_until_a_call_goes(new()) <= 5.01
            await limiter.throttled(permit, retry_after=None, quota=True)
            clock.step(-back)
            assert await seconds_until_a_call_goes(new()) <= 300.01

        with_limiters("redis", prefix, test)


class TestWhatIsSharedByAShop:
    def test_without_redis_the_classes_of_a_shop_share_one_budget_and_one_pause(
        self, prefix: str
    ) -> None:
        async def test(new: Any, clock: SetClock, _: TimedRedis) -> None:
            limiter = new(hourly_budget=40, kept_for_high=0, share_alone=0.25)
            keys = [attrs.evolve(KEY, endpoint_class=each) for each in EndpointClass] * 4
            gone = 0
            for key in keys:
                try:
                    permit = await limiter.acquire(key)
                    gone += 1
                except RateLimitError:
                    pass
            assert gone == 10
            other = attrs.evolve(KEY, shop="other")
            await limiter.throttled(attrs.evolve(permit, key=other), quota=True)
            with pytest.raises(RateLimitError, match="quota"):
                await limiter.acquire(attrs.evolve(READ, shop="other"))

        with_limiters("redis_unreachable", prefix, test)

    @pytest.mark.parametrize("rates", [None, {EndpointClass.WRITE: FixedRate(1000)}])
    def test_after_a_pause_one_call_is_on_trial_however_many_come(
        self, kind: str, prefix: str, rates: Any
    ) -> None:
        async def test(new: Any, clock: SetClock, _: TimedRedis) -> None:

            limiter = new(rates=rates)
            await limiter.throttled(await limiter.acquire(KEY), quota=True)
            await asyncio.sleep(300)
            results = await asyncio.gather(
                *(limiter.acquire(KEY) for _ in range(100)), return_exceptions=True
            )
            assert sum(not isinstance(result, RateLimitError) for result in results) == 1

        with_limiters(kind, prefix, test)


class TestWhatIsForgotten:
    def test_no_call_pays_for_more_than_a_few_keys(self, kind: str, prefix: str) -> None:
        """40,000 shops at once are what a call would have to look through."""

        async def test(new: Any, clock: SetClock, _: TimedRedis) -> None:
            limiter = new()
            for n in range(400):
                limiter.try_acquire(attrs.evolve(KEY, shop=f"old {n}"))
            await asyncio.sleep(HOUR)
            left = len(limiter.observe())
            for n in range(200):
                limiter.try_acquire(attrs.evolve(KEY, shop=f"new {n}"))
                before, left = left, len(limiter.observe())
                assert before - left <= 4
            assert left == 200, "all that are old, and none that is in use"

        with_limiters(kind, prefix, test)
