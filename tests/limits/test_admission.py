"""Permit and slot are one admission: a call that is not sent leaves nothing taken of either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from auth.databases import REDIS_URL, redis_prefix
from limits.service import KEY
from limits.virtual_time import now, run
from outcomes.stubs import StubLimiter, hang, settled, write
from support import envelope, new_client

from tiktok_shop_async import AsyncTikTokShop, ConnectError, InvalidArgumentError, RateLimitError
from tiktok_shop_async.limits import (
    EndpointClass,
    FixedRate,
    LearningLimiter,
    Limiter,
    RedisLimiter,
)


class Shop:
    """Holds what it gets until a test says otherwise."""

    def __init__(self) -> None:
        self.requests = 0
        self.arrived, self.may_answer = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: httpx.Request) -> httpx.Response:
        self.requests += 1
        self.arrived.set()
        await self.may_answer.wait()
        return httpx.Response(200, json=envelope({}))


@asynccontextmanager
async def busy_client(limiter: Limiter) -> AsyncIterator[tuple[AsyncTikTokShop, Shop]]:
    """Give a client whose only slot is taken by a call that hangs."""
    shop = Shop()
    async with new_client(httpx.MockTransport(shop), limiter=limiter, max_in_flight=1) as client:
        first = asyncio.create_task(write(client))
        await shop.arrived.wait()
        yield client, shop
        shop.may_answer.set()
        await first


async def cancelled_while_it_waits(client: AsyncTikTokShop) -> None:
    task = asyncio.create_task(write(client))
    await settled()
    await asyncio.sleep(0.02)  # for Redis
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture(params=["one process", "redis"])
async def budgeted(request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    """A limiter with two calls an hour."""
    if request.param == "one process":
        yield LearningLimiter(hourly_budget=2)
        return
    async with (
        redis_prefix() as prefix,
        RedisLimiter(REDIS_URL, prefix=prefix, hourly_budget=2) as limiter,
    ):
        yield limiter


async def test_a_call_cancelled_while_it_waits_for_a_slot_costs_nothing_of_the_hour(
    budgeted: Limiter,
) -> None:
    """Of two calls an hour one is under way; five are cancelled; the second is still there."""
    async with busy_client(budgeted) as (client, shop):
        for _ in range(5):
            await cancelled_while_it_waits(client)
        shop.may_answer.set()
        assert (await write(client)).code == 0
        with pytest.raises(RateLimitError):
            await write(client)
    assert shop.requests == 2


def test_its_turn_goes_to_the_next_call_that_waits() -> None:
    """At one call in 1,000 s, the one behind a cancelled one does not wait 2,000 s."""

    async def main() -> None:
        limiter = LearningLimiter(rates={EndpointClass.WRITE: FixedRate(0.001)}, clock=now)
        permits = [await limiter.acquire(KEY)]
        began = now()
        for _ in range(3):
            limiter.give_back(permits.pop())
            permits.append(await limiter.acquire(KEY))
        assert now() == began
        waiting = asyncio.create_task(limiter.acquire(KEY))
        await asyncio.sleep(1)
        limiter.give_back(permits.pop())
        await waiting
        assert now() == began + 1

    run(main())


async def test_permits_given_back_while_the_rate_is_held_grant_none_in_their_place() -> None:
    """Or calls that wait would hand a useless permit round for as long as the hold lasts."""
    limiter = LearningLimiter(rates={EndpointClass.WRITE: FixedRate(1e6)})
    permit = await limiter.acquire(KEY)
    await limiter.throttled(permit, retry_after=60)
    waiting = asyncio.create_task(limiter.acquire(KEY))
    await settled()
    limiter.give_back(permit)
    await settled()
    assert not waiting.done()
    waiting.cancel()


@pytest.mark.parametrize(
    "how", ["cancelled", "closed", "not current", "not connected", "invalid", "broken limiter"]
)
async def test_a_call_that_is_not_sent_gives_back_its_slot_and_permit(how: str) -> None:
    limiter = StubLimiter()

    async def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    if how in ("not connected", "invalid"):
        options: dict[str, Any] = {"access_token": None} if how == "invalid" else {}
        async with new_client(httpx.MockTransport(fail), limiter=limiter, **options) as client:
            with pytest.raises((ConnectError, InvalidArgumentError)):
                await write(client)
            assert (limiter.out, client._session.slots.free) == (0, 100)
        return
    async with busy_client(limiter) as (client, shop):
        task = asyncio.create_task(write(client))
        await settled()
        assert limiter.out == 2
        await END[how](client, limiter, shop, task)
        assert (limiter.out, shop.requests) == (1, 1)
    assert client._session.slots.free == 1


async def cancel(_: Any, __: Any, ___: Any, task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def close(client: AsyncTikTokShop, _: Any, __: Any, task: asyncio.Task[Any]) -> None:
    await client.aclose()
    with pytest.raises(Exception, match="closed"):
        await task


async def throttle(_: Any, limiter: StubLimiter, shop: Shop, task: asyncio.Task[Any]) -> None:
    """Its permit is worth nothing by the time it has its slot; then it waits for another one."""
    limiter.current = False
    limiter.on_acquire = hang
    shop.may_answer.set()
    await settled()
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def break_limiter(_: Any, limiter: StubLimiter, shop: Shop, task: asyncio.Task[Any]) -> None:
    def broken(_: Any) -> bool:
        raise ValueError("a bug")

    limiter.is_current = broken  # type: ignore[method-assign]
    shop.may_answer.set()
    with pytest.raises(ValueError, match="a bug"):
        await task


END: dict[str, Callable[..., Any]] = {
    "cancelled": cancel,
    "closed": close,
    "not current": throttle,
    "broken limiter": break_limiter,
}
