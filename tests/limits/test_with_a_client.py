"""A client and the sandbox, whose limit changes: throttled seldom, and little of it left unused."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import httpx
import pytest
from helpers.limits.virtual_time import now, run

from tiktok_shop_async import AsyncTikTokShop, RateLimitError
from tiktok_shop_async.events import AttemptFinished, CallEvent
from tiktok_shop_async.limits import LearningLimiter
from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_SHOP_CIPHER,
    Limits,
    LimitSettings,
    Rate,
    create_app,
)

SECONDS = 30
RATES = (50, 10, 80)
CALLERS = 40


def unix_time() -> float:
    return 1_700_000_000 + now()


@pytest.mark.parametrize("burst", [5, 10])
def test_a_client_finds_the_sandboxs_limit_and_follows_it(burst: int) -> None:
    """50, then 10, then 80 a second: under 5 % are throttled, 85 % of what is allowed is used."""
    passed, throttled = run(watched_client(burst))
    assert throttled / (passed + throttled) < 0.05
    assert passed >= 0.85 * SECONDS * sum(RATES)


async def watched_client(burst: int) -> tuple[int, int]:
    """Call as often as the client lets 40 tasks, and count the answers."""
    dice = random.Random(burst)  # noqa: S311 - nothing secret
    limits = Limits(clock=unix_time)
    app = create_app(
        orders=20, clock=unix_time, limits=limits, latency=lambda: dice.uniform(0.02, 0.2)
    )
    counts = {True: 0, False: 0}

    def count(event: CallEvent) -> None:
        if isinstance(event, AttemptFinished):
            counts[event.error is None] += 1

    client = AsyncTikTokShop(
        DEMO_APP_KEY,
        DEMO_APP_SECRET,
        access_token=DEMO_ACCESS_TOKEN,
        shop_cipher=DEMO_SHOP_CIPHER,
        transport=httpx.ASGITransport(app),
        limiter=LearningLimiter(clock=now, unix_clock=unix_time),
        observers=[count],
        clock=unix_time,
    )

    async def call_on_and_on() -> None:
        while True:
            with suppress(RateLimitError):  # it is counted
                await client.order.get_order_list(page_size=1)

    tasks = [asyncio.create_task(call_on_and_on()) for _ in range(CALLERS)]
    for rate in RATES:  # the tasks begin with the first pause
        limits.set(LimitSettings(rates={"read": Rate(rate, burst)}))
        await asyncio.sleep(SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.aclose()
    return counts[True], counts[False]
