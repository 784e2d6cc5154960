"""The limiter of one process, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import attrs
import pytest
from limits.service import KEY, Service, flood
from limits.virtual_time import now, run

from tiktok_shop_async import InvalidArgumentError, RateLimitError
from tiktok_shop_async.limits import (
    STARTING_RATES,
    EndpointClass,
    FixedRate,
    LearningLimiter,
    LimitedRate,
    LimitKey,
    Priority,
)

HOUR_BEGAN = 3600.0 * 500_000


def new_limiter(**options: Any) -> LearningLimiter:
    began = now()
    options.setdefault("unix_clock", lambda: HOUR_BEGAN + now() - began)
    return LearningLimiter(clock=now, **options)


def slow(per_second: float = 1, **options: Any) -> LearningLimiter:
    return new_limiter(rates={EndpointClass.WRITE: FixedRate(per_second)}, **options)


async def times(limiter: LearningLimiter, calls: int, key: LimitKey = KEY) -> list[float]:
    """Return when each of several calls made at once is sent, in seconds from now."""
    began = now()

    async def one() -> float:
        await limiter.acquire(key, "normal")
        return round(now() - began, 6)

    return await asyncio.gather(*(one() for _ in range(calls)))


def begin(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.create_task(work)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("callers", [20, 100, 200])
@pytest.mark.parametrize(("burst", "delay"), [(1, 0.0), (5, 0.0), (20, 0.1)])
def test_a_changing_limit_is_used_and_rarely_exceeded(
    seed: int, callers: int, burst: int, delay: float
) -> None:
    async def main() -> Service:
        service = Service([(60, 50), (60, 10), (60, 80)], burst=burst)
        # 200 calls before the first throttle are more than learning can compensate for.
        rates = {EndpointClass.WRITE: 10} if callers == 200 else None
        limiter = new_limiter(rates=rates)
        await flood(service, limiter, callers=callers, seed=seed, delay=delay)
        return service

    service = run(main())
    assert service.used >= 0.85
    assert service.throttled < 0.05


def test_without_a_throttle_nothing_waits() -> None:
    async def main() -> None:
        limiter = new_limiter()
        assert set(await times(limiter, 1000)) == {0.0}
        assert [seen.per_second for seen in limiter.observe()] == [None]

    run(main())


def test_a_first_throttle_halves_the_rate_at_which_calls_went() -> None:
    async def main() -> None:
        limiter = new_limiter()
        for _ in range(100):
            permit = await limiter.acquire(KEY)
            await asyncio.sleep(0.025)
        assert limiter.is_current(permit)
        await limiter.throttled(permit, retry_after=None)
        assert not limiter.is_current(permit)
        assert limiter.observe()[0].per_second == pytest.approx(20, rel=0.05)

    run(main())


@pytest.mark.parametrize("rate", [3.0, 80.0, 1000.0])
def test_calls_are_paced_evenly(rate: float) -> None:
    async def main() -> None:
        gone = await times(slow(rate), 100)
        assert gone == pytest.approx([n / rate for n in range(100)], abs=1e-6)

    run(main())


async def test_a_thousand_a_second_are_reached_in_spite_of_timers() -> None:
    limiter = LearningLimiter(rates={EndpointClass.WRITE: FixedRate(1000)})
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(limiter.acquire(KEY) for _ in range(501)))
    assert 0.499 <= loop.time() - began < 0.75, "late timers are made up for"


def test_higher_priorities_are_served_first_and_each_in_its_order() -> None:
    async def main() -> None:
        limiter, order = slow(), list[str]()

        async def call(priority: Priority, name: str) -> None:
            await limiter.acquire(KEY, priority)
            order.append(name)

        await limiter.acquire(KEY)
        calls: list[tuple[Priority, str]] = [
            ("low", "a"),
            ("normal", "b"),
            ("high", "c"),
            ("low", "d"),
            ("high", "e"),
            ("normal", "f"),
        ]
        await asyncio.gather(*(call(*each) for each in calls))
        assert "".join(order) == "cebfad"

    run(main())


@pytest.mark.parametrize("cancelled", range(4))
@pytest.mark.parametrize("after", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
def test_a_cancelled_waiter_loses_no_turn(cancelled: int, after: float) -> None:
    async def main() -> None:
        limiter = slow()
        await limiter.acquire(KEY)
        began = now()
        waiters = [begin(limiter.acquire(KEY)) for _ in range(4)]
        await asyncio.sleep(0)
        # Made at the same instant as a turn, this comes before the waiter has noticed its turn.
        asyncio.get_running_loop().call_at(began + after, waiters[cancelled].cancel)
        results = await asyncio.gather(*waiters, return_exceptions=True)
        gone = sum(not isinstance(result, BaseException) for result in results)
        assert round(now() - began, 6) == gone
        await limiter.acquire(KEY)
        assert round(now() - began, 6) == gone + 1

    run(main())


def test_the_permit_of_a_call_cancelled_at_that_moment_goes_to_the_next_call() -> None:
    async def main() -> None:
        limiter = slow(hourly_budget=10)
        await limiter.acquire(KEY)
        began = now()
        first, second = [begin(limiter.acquire(KEY)) for _ in range(2)]
        # Whoever waits is woken by the loop's next step; this is the step before.
        asyncio.get_running_loop().call_at(began + 1 + 1e-10, first.cancel)
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert round(now() - began, 3) == 1
        assert limiter._accounts["app", "shop"].calls == 2

    run(main())


def test_cancelled_waiters_leave_nothing_behind() -> None:
    async def main() -> None:
        limiter = slow()
        await limiter.acquire(KEY)
        waiters = [begin(limiter.acquire(KEY)) for _ in range(10)]
        await asyncio.sleep(0.1)
        for waiter in waiters:
            waiter.cancel()
        await asyncio.wait(waiters)
        state = limiter._states[KEY]
        assert (len(state.queue), state.timer, state.account.waiting) == (0, None, 0)

    run(main())


def test_a_hold_delays_its_own_shop_and_class_alone() -> None:
    async def main() -> None:
        limiter = slow(10)
        await limiter.throttled(await limiter.acquire(KEY), retry_after=7.0)
        other_shop = attrs.evolve(KEY, shop="other")
        other_class = attrs.evolve(KEY, endpoint_class=EndpointClass.READ)
        assert await times(limiter, 2, other_shop) == [0.0, 0.1]
        assert await times(limiter, 2, other_class) == [0.0, 0.0]
        assert await times(limiter, 2) == pytest.approx([6.9, 7.0])

    run(main())


def test_a_throttle_outdates_earlier_permits() -> None:
    async def main() -> None:
        limiter = slow(10)
        first, second = [await limiter.acquire(KEY) for _ in range(2)]
        await limiter.throttled(first, retry_after=3.0)
        assert not limiter.is_current(second)
        third = await limiter.acquire(KEY)
        assert limiter.is_current(third)
        await limiter.throttled(second, retry_after=3.0)
        assert not limiter.is_current(third), "held"

    run(main())


def test_a_throttle_lowers_a_learned_rate_but_not_a_fixed_one() -> None:
    async def main() -> None:
        read = attrs.evolve(KEY, endpoint_class=EndpointClass.READ)
        emitted = list[LimitedRate]()
        limiter = new_limiter(
            rates={EndpointClass.WRITE: FixedRate(4), EndpointClass.READ: 4},
            on_change=emitted.append,
        )
        for key in (KEY, read):
            await limiter.throttled(await limiter.acquire(key))
        assert {seen.endpoint_class: seen.per_second for seen in limiter.observe()} == {
            "write": 4,
            "read": 2,
        }
        await times(limiter, 60, read)
        rates = [seen.per_second for seen in emitted if seen.endpoint_class == "read"]
        assert rates[0] == 2
        assert rates == sorted(rates), "they are emitted as they rise"
        assert len(rates) > 2

    run(main())


def test_the_hours_budget_refuses_at_once_and_keeps_some_for_high_priority() -> None:
    async def main() -> None:
        limiter = new_limiter(hourly_budget=10, kept_for_high=0.2)
        await asyncio.sleep(600)
        await times(limiter, 8)
        with pytest.raises(RateLimitError, match="not sent") as refused:
            await limiter.acquire(KEY, "normal")
        assert refused.value.retry_after == pytest.approx(3000)
        assert not refused.value.retryable
        assert refused.value.hint
        read = attrs.evolve(KEY, endpoint_class=EndpointClass.READ)
        await limiter.acquire(read, "high")
        await limiter.acquire(KEY, "high")
        with pytest.raises(RateLimitError):
            await limiter.acquire(KEY, "high")
        await times(limiter, 1, attrs.evolve(KEY, shop="other"))
        await asyncio.sleep(3000)
        await times(limiter, 8)

    run(main())


def test_calls_beyond_the_hours_budget_are_refused_at_once() -> None:
    async def main() -> None:
        limiter, began = slow(hourly_budget=5, kept_for_high=0), now()
        results = await asyncio.gather(
            *(limiter.acquire(KEY) for _ in range(8)), return_exceptions=True
        )
        assert [isinstance(result, RateLimitError) for result in results] == [False] * 5 + [
            True
        ] * 3
        assert now() - began == pytest.approx(4)

    run(main())


def test_a_used_up_quota_pauses_the_shop_and_then_allows_one_trial_call() -> None:
    async def main() -> None:
        limiter = slow()
        permit = await limiter.acquire(KEY)
        waiters = [begin(limiter.acquire(KEY)) for _ in range(3)]
        await asyncio.sleep(0)
        await limiter.throttled(permit, retry_after=None, quota=True)
        assert not limiter.is_current(permit)
        results = await asyncio.gather(*waiters, return_exceptions=True)
        assert all(isinstance(result, RateLimitError) for result in results)
        with pytest.raises(RateLimitError, match="quota"):
            await limiter.acquire(attrs.evolve(KEY, endpoint_class=EndpointClass.READ), "high")
        await times(limiter, 1, attrs.evolve(KEY, shop="other"))

        await asyncio.sleep(300)
        trial = await limiter.acquire(KEY)
        assert limiter.is_current(trial)
        with pytest.raises(RateLimitError):
            await limiter.acquire(KEY)
        await limiter.throttled(trial, quota=True)
        await asyncio.sleep(299)
        with pytest.raises(RateLimitError):
            await limiter.acquire(KEY)
        await asyncio.sleep(1)
        await limiter.acquire(KEY)
        await asyncio.sleep(5)
        assert await times(limiter, 3) == [0, 1, 2]

    run(main())


def test_unused_keys_are_dropped() -> None:
    async def main() -> None:
        limiter = new_limiter()
        for n in range(1000):
            await limiter.throttled(await limiter.acquire(attrs.evolve(KEY, shop=str(n))))
            await asyncio.sleep(10)
        assert len(limiter.observe()) < 100
        assert len(limiter._accounts) < 500

    run(main())


def test_observing_shows_no_cipher() -> None:
    async def main() -> None:
        limiter = new_limiter(rates=STARTING_RATES)
        key = attrs.evolve(KEY, shop="cipher-of-a-shop")
        await limiter.acquire(key)
        (seen,) = limiter.observe()
        assert "cipher-of-a-shop" not in f"{seen} {key}"
        assert seen.per_second == STARTING_RATES[EndpointClass.WRITE]

    run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"rates": {"chat": 1}},
        {"rates": {"write": 0}},
        {"rates": {"write": FixedRate(float("inf"))}},
        {"hourly_budget": 0},
        {"hourly_budget": 1, "kept_for_high": 1},
    ],
)
def test_invalid_options_are_rejected(options: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        LearningLimiter(**options)
