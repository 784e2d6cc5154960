"""A failed call leaves no reference cycle: its objects are freed without garbage collection."""

from __future__ import annotations

import asyncio
import gc
import weakref
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Iterator
from contextlib import suppress
from socket import socket
from types import MethodType
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
from support import FakeShop, new_client

from tiktok_shop_async import AsyncTikTokShop, InvalidArgumentError, TokenStoreError
from tiktok_shop_async.auth.single_flight import SingleFlight
from tiktok_shop_async.limits import LearningLimiter


@pytest.fixture
def no_collector(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    # A log that another test turned on would keep the errors that it shows.
    caplog.set_level("CRITICAL", logger="tiktok_shop_async.calls")
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Requests:
    """Weak references to the requests that a shop got."""

    def __init__(self, shop: FakeShop) -> None:
        self._shop = shop
        self.seen: list[weakref.ref[httpx.Request]] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(weakref.ref(request))
        try:
            return await self._shop.handle_async_request(request)
        finally:
            self._shop.requests.clear()


FAILURES: dict[str, Callable[[FakeShop], object]] = {
    "not connected": lambda shop: shop.answers.append(raises(httpx.ConnectError)),
    "lost": lambda shop: shop.answers.append(raises(httpx.ReadError)),
    "timeout": lambda shop: shop.answers.append(raises(httpx.ReadTimeout)),
    "refused": lambda shop: shop.answer(code=25001021),
    "throttled": lambda shop: shop.answer(code=36009002),
    "expired": lambda shop: shop.answer(code=105002),
    "forbidden": lambda shop: shop.answer(code=105005),
    "internal": lambda shop: shop.answer(code=36009003),
    "no envelope": lambda shop: shop.answer_raw(b"<html>"),
    "gateway": lambda shop: shop.answer_raw(b"<html>", 502),
    "a bug": lambda shop: shop.answers.append(raises(RuntimeError)),
}


def raises(kind: type[Exception]) -> Callable[[httpx.Request], httpx.Response]:
    """Raise a new error for each request: an error keeps the frames that it passed."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise kind("broken")

    return fail


async def fails(call: Callable[[AsyncTikTokShop], Any], client: AsyncTikTokShop) -> None:
    with suppress(Exception):
        await call(client)
        raise AssertionError("it should have failed")


def assert_nothing_is_left(requests: Requests | None = None) -> None:
    if requests is not None:
        assert requests.seen
        assert not [each for each in requests.seen if each() is not None]
    assert gc.collect() == 0


@pytest.mark.parametrize("call", [read, write, keyed_write])
@pytest.mark.parametrize("observed", [False, True], ids=["alone", "observed"])
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.usefixtures("no_collector")
async def test_after_a_failure(
    shop: FakeShop, failure: str, observed: bool, call: Callable[..., Any]
) -> None:
    requests, authorization = Requests(shop), StubAuthorization()
    options: dict[str, Any] = {"observers": [lambda _: None]} if observed else {}
    FAILURES[failure](shop)
    async with new_client(
        httpx.MockTransport(requests),
        auth=authorization.state(),
        max_retries=1,
        sleep=no_pause,
        limiter=StubLimiter(),
        **options,
    ) as client:
        await fails(call, client)  # the first one fills caches
        gc.collect()
        requests.seen.clear()
        await fails(call, client)
        assert_nothing_is_left(requests)


@pytest.mark.parametrize("observed", [False, True], ids=["alone", "observed"])
@pytest.mark.usefixtures("no_collector")
async def test_after_a_deadline_and_a_cancellation(observed: bool) -> None:
    options: dict[str, Any] = {"observers": [lambda _: None]} if observed else {}

    async def until_it_is_cancelled(client: AsyncTikTokShop) -> None:
        task = asyncio.create_task(write(client))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async with new_client(httpx.MockTransport(hang), **options) as client:
        for _ in range(2):
            gc.collect()
            for call in (read, write, keyed_write):
                await fails(lambda client, call=call: call(client, deadline=0.001), client)
                await asyncio.gather(call(client, deadline=0.001), return_exceptions=True)
            await until_it_is_cancelled(client)
        assert_nothing_is_left()


@pytest.mark.usefixtures("no_collector")
async def test_after_what_fails_before_it_is_sent(shop: FakeShop) -> None:
    """An invalid argument, no token, a rate that is used up, a client that is closed."""
    authorization = StubAuthorization()

    async def down() -> None:
        raise TokenStoreError("down")

    async def invalid(client: AsyncTikTokShop) -> None:
        await client.order.get_order_detail(ids=["1"], create_time_ge=object())  # type: ignore[call-arg]

    async def no_id(client: AsyncTikTokShop) -> None:
        await client.return_refund.get_return_records(return_id="")

    authorization.on_prepare = down
    shop.answer(code=36009037)
    client = new_client(
        httpx.MockTransport(shop.handle_async_request), limiter=LearningLimiter(hourly_budget=1)
    )
    no_token = client.for_shop(auth=authorization.state())
    for _ in range(2):
        gc.collect()
        authorization.ready = False
        await fails(read, no_token)
        await fails(no_id, client)
        for _ in range(3):
            await fails(read, client)
    assert_nothing_is_left()
    await client.aclose()
    with pytest.raises(InvalidArgumentError):
        await no_id(new_client(httpx.MockTransport(shop.handle_async_request)))


@pytest.mark.usefixtures("no_collector")
async def test_after_the_client_was_closed(shop: FakeShop) -> None:
    """Calls that wait for a slot, for a rate, for a retry."""

    async def hangs(_: httpx.Request) -> httpx.Response:
        return await hang()

    for _ in range(2):
        gc.collect()
        limiter = StubLimiter()
        client = new_client(httpx.MockTransport(hangs), max_in_flight=1, limiter=limiter)
        tasks = [asyncio.create_task(write(client)) for _ in range(3)]
        await asyncio.sleep(0)
        limiter.on_acquire = hang
        tasks.append(asyncio.create_task(write(client)))
        for _ in range(10):
            await asyncio.sleep(0)
        await client.aclose()
        for task in tasks[1:]:
            with suppress(Exception):
                await task
        tasks[0].cancel()
        with suppress(asyncio.CancelledError):
            await tasks[0]
        del client, tasks, task, limiter
        left = gc.collect()
    assert left == 0


@pytest.mark.parametrize("kind", [TokenStoreError, ValueError])
@pytest.mark.usefixtures("no_collector")
async def test_after_work_that_many_waited_for_failed(kind: type[Exception]) -> None:
    """A refresh of a token, for instance."""

    async def work() -> None:
        raise kind("down")

    for _ in range(2):
        gc.collect()
        flight = SingleFlight()
        for _ in range(2):
            with suppress(kind):
                await flight.run(work)
        await settled()
        del flight
    assert gc.collect() == 0


def garbage() -> list[Any]:
    """Return the objects that only the collector frees."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return [*gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def is_of_asyncio(item: Any) -> bool:
    """Whether it belongs to a transport of asyncio, which holds a bound method of its own."""
    kinds = (asyncio.Transport, socket, TransportSocket, tuple, dict, MethodType)
    return isinstance(item, kinds)


@pytest.mark.usefixtures("no_collector")
async def test_after_timeouts_over_a_socket() -> None:
    """In tasks: a timer of asyncio holds its task, as the task holds its error."""

    async def took_it(peer: Peer) -> None:
        await peer.request()
        await peer.reader.read()  # until the client gives up

    async with serving(took_it) as server:
        base_url = f"http://127.0.0.1:{server.port}"
        async with new_client(base_url=base_url) as client:
            for _ in range(2):
                gc.collect()
                calls = [each(client, timeout=0.05) for each in (read, write, keyed_write)]
                results = await asyncio.gather(*calls, return_exceptions=True)
                assert all(isinstance(each, Exception) for each in results)
                del results, calls
                await server.all_closed()
                await settled()
            assert not [each for each in garbage() if not is_of_asyncio(each)]
