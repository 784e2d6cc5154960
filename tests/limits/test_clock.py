"""A clock that replaces all times of a limiter."""

from __future__ import annotations

import pytest
from limits.service import KEY

from tiktok_shop_async import RateLimitError
from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.limits import LearningLimiter, RedisLimiter

HOUR = 3600.0


async def test_a_clock_moves_the_hours_of_a_limiter() -> None:
    clock = MovableClock()
    limiter = LearningLimiter(clock=clock, hourly_budget=1, kept_for_high=0)
    await limiter.acquire(KEY)
    with pytest.raises(RateLimitError):
        await limiter.acquire(KEY)
    clock.advance(HOUR)
    await limiter.acquire(KEY)


async def test_a_unix_clock_sets_where_hours_begin() -> None:
    clock, unix_clock = MovableClock(), MovableClock(lambda: 10 * HOUR - 5)
    limiter = LearningLimiter(clock=clock, unix_clock=unix_clock, hourly_budget=1, kept_for_high=0)
    await limiter.acquire(KEY)
    with pytest.raises(RateLimitError) as refused:
        await limiter.acquire(KEY)
    assert refused.value.retry_after == pytest.approx(5, abs=0.5)


async def test_a_clock_moves_the_hours_of_a_fallback() -> None:
    clock = MovableClock()
    async with RedisLimiter(
        "redis://127.0.0.1:1", clock=clock, hourly_budget=4, kept_for_high=0, share_alone=0.25
    ) as limiter:
        await limiter.acquire(KEY)
        with pytest.raises(RateLimitError):
            await limiter.acquire(KEY)
        clock.advance(HOUR)
        await limiter.acquire(KEY)
