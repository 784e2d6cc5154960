"""Closing a client: waiting calls raise and are not sent; calls in flight finish."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from outcomes.stubs import (
    StubAuthorization,
    StubLimiter,
    hang,
    keyed_write,
    no_pause,
    read,
    settled,
    write,
)
from servers import Peer, serving
from support import FakeShop, envelope, new_client

from tiktok_shop_async import ClientClosedError, OutcomeUnknownError, TikTokShopOAuth
from tiktok_shop_async.limits import LearningLimiter
from tiktok_shop_async.limits.rates import EndpointClass, FixedRate

LOST = httpx.ReadError("reset")


class SlowShop:
    """Answers when a test says so."""

    def __init__(self) -> None:
        self.requests = 0
        self.may_answer = asyncio.Event()
        self.result: httpx.Response | Exception = httpx.Response(200, json=envelope({}))

    async def __call__(self, _: httpx.Request) -> httpx.Response:
        self.requests += 1
        await self.may_answer.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def results(*tasks: asyncio.Task[Any]) -> list[Any]:
    """Return what becomes of tasks that must end at once."""
    async with asyncio.timeout(1):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_calls_that_wait_for_a_slot_are_woken_and_never_sent() -> None:
    shop = SlowShop()
    client = new_client(httpx.MockTransport(shop), max_in_flight=2)
    tasks = [asyncio.create_task(call(client)) for call in (write, read) * 20]
    await settled()
    await client.aclose()
    waiting = await results(*tasks[2:])
    assert {type(each) for each in waiting} == {ClientClosedError}
    shop.may_answer.set()
    in_flight = await results(*tasks[:2])
    assert [each.code for each in in_flight] == [0, 0]
    assert shop.requests == 2
    assert client._session.slots.free == 2


async def test_a_slot_that_is_given_at_the_moment_of_closing_is_not_used() -> None:
    shop = SlowShop()
    client = new_client(httpx.MockTransport(shop), max_in_flight=1)
    first, second = (asyncio.create_task(write(client)) for _ in range(2))
    await settled()
    client._session.slots.release()  # the second has a slot now, and has not run yet
    await client.aclose()
    assert isinstance((await results(second))[0], ClientClosedError)
    shop.may_answer.set()
    await first
    assert shop.requests == 1


def waits_for_the_limiter() -> dict[str, Any]:
    limiter = StubLimiter()
    limiter.on_acquire = hang
    return {"limiter": limiter}


def waits_for_a_rate() -> dict[str, Any]:
    rates = {each: FixedRate(0.001) for each in EndpointClass}
    return {"limiter": LearningLimiter(rates=rates)}


def waits_for_a_token() -> dict[str, Any]:
    authorization = StubAuthorization()
    authorization.ready = False
    authorization.on_prepare = hang
    return {"auth": authorization.state()}


@pytest.mark.parametrize("waits", [waits_for_the_limiter, waits_for_a_rate, waits_for_a_token])
async def test_calls_that_wait_before_their_first_attempt_are_woken(
    shop: FakeShop, waits: Callable[[], dict[str, Any]]
) -> None:
    shop.answer({})
    client = new_client(httpx.MockTransport(shop.handle_async_request), **waits())
    calls = (read, read, write, write, keyed_write, keyed_write)
    tasks = [asyncio.create_task(call(client)) for call in calls]
    await settled()
    sent, waiting = len(shop.requests), [task for task in tasks if not task.done()]
    assert waiting
    await client.aclose()
    assert {type(each) for each in await results(*waiting)} == {ClientClosedError}
    assert len(shop.requests) == sent


@pytest.mark.parametrize("wait", ["retry", "token", "rate"])
async def test_a_retry_that_waits_is_woken_and_knows_what_came_before(
    shop: FakeShop, wait: str
) -> None:
    """A lost attempt of a write leaves its outcome unknown; a read is told that it was closed."""
    authorization, limiter = StubAuthorization(), StubLimiter()
    authorization.on_replace = hang

    async def sleep(_: float) -> None:
        if wait == "retry":
            await hang()
        if wait == "rate":
            limiter.on_acquire = hang

    for call, expected in ((keyed_write, OutcomeUnknownError), (read, ClientClosedError)):
        limiter.on_acquire = None
        shop.requests.clear()
        shop.answers.clear()
        shop.fail(LOST).answer(code=105002)
        client = new_client(
            httpx.MockTransport(shop.handle_async_request),
            auth=authorization.state(),
            limiter=limiter,
            sleep=sleep,
            max_retries=2,
        )
        task = asyncio.create_task(call(client))
        await settled()
        sent = len(shop.requests)
        await client.aclose()
        (error,) = await results(task)
        assert type(error) is expected
        if expected is OutcomeUnknownError:
            assert isinstance(error.__cause__, ClientClosedError)
            assert error.idempotency_key == shop.last.url.params["idempotency_key"]
        assert len(shop.requests) == sent


@pytest.mark.parametrize("end", ["lost", "throttled", "expired", "refused", "succeeds"])
async def test_an_attempt_in_flight_runs_to_its_end_and_is_not_retried(end: str) -> None:
    """What its response says is worth more than that the client was closed meanwhile."""
    authorization, shop = StubAuthorization(), SlowShop()
    codes = {"throttled": 36009002, "expired": 105002, "refused": 25001021, "succeeds": 0}
    shop.result = LOST if end == "lost" else httpx.Response(200, json=envelope({}, code=codes[end]))
    client = new_client(
        httpx.MockTransport(shop), auth=authorization.state(), sleep=no_pause, max_retries=2
    )
    task = asyncio.create_task(keyed_write(client))
    await settled()
    await client.aclose()
    await settled()
    assert not task.done()
    shop.may_answer.set()
    (result,) = await results(task)
    kinds = {
        "lost": "OutcomeUnknownError",
        "throttled": "RateLimitError",
        "expired": "AccessTokenExpiredError",
        "refused": "InvalidRequestError",
        "succeeds": "APIResponse",
    }
    assert type(result).__name__ == kinds[end]
    assert shop.requests == 1


async def test_a_borrowed_client_that_is_closed_sends_nothing_that_waited() -> None:
    shop = SlowShop()
    http_client = httpx.AsyncClient(transport=httpx.MockTransport(shop))
    client = new_client(http_client=http_client, max_in_flight=1)
    first, second = (asyncio.create_task(write(client)) for _ in range(2))
    await settled()
    await http_client.aclose()
    shop.may_answer.set()
    assert (await first).code == 0
    assert isinstance((await results(second))[0], ClientClosedError)
    assert shop.requests == 1


async def test_closing_over_a_real_socket_lets_the_response_come() -> None:
    arrived, may_answer = asyncio.Event(), asyncio.Event()
    body = b'{"code":0,"message":"","request_id":"","data":{"orders":[]}}'

    async def answer(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await may_answer.wait()
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async with serving(answer) as server:
        client = new_client(base_url=f"http://127.0.0.1:{server.port}")
        task = asyncio.create_task(read(client))
        await arrived.wait()
        await client.aclose()
        may_answer.set()
        assert (await task).code == 0
        await server.all_closed()


async def test_token_calls_that_wait_for_a_slot_are_woken_too() -> None:
    """More exchanges of codes than are sent at once."""
    shop = SlowShop()
    oauth = TikTokShopOAuth("key", "app-secret", transport=httpx.MockTransport(shop))
    tasks = [asyncio.create_task(oauth.refresh(f"refresh-{number}")) for number in range(300)]
    await settled()
    sent = shop.requests
    assert 0 < sent < 300
    await oauth.aclose()
    await settled()
    waiting = [task for task in tasks if task.done()]
    assert len(waiting) == 300 - sent
    assert {type(each) for each in await results(*waiting)} == {ClientClosedError}
    shop.may_answer.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert shop.requests == sent
