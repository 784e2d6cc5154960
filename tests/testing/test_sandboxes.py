"""Sandboxes of the fixtures: movable time, and webhooks to any application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tiktok_shop_async import AuthState, InvalidArgumentError
from tiktok_shop_async.testing import MovableClock, Sandbox
from tiktok_shop_async.testing.sandboxes import create_sandbox, serve_sandbox

DAY = 86400


@pytest.fixture
def shop() -> Sandbox:
    return create_sandbox()


@pytest.fixture
def served() -> Iterator[Sandbox]:
    with serve_sandbox() as served:
        yield served


class Receiver:
    """An application of a user; it responds with 500 until its status is set."""

    def __init__(self) -> None:
        self.status = 500
        self.bodies: list[bytes] = []

    def listen_to(self, shop: Sandbox) -> None:
        shop.webhooks.default_url = "http://app.example/hook"
        shop.webhooks.transport = httpx.MockTransport(self.receive)

    def receive(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.content)
        return httpx.Response(self.status)


async def test_a_served_shop_is_the_same_as_one_in_the_process(
    shop: Sandbox, served: Sandbox
) -> None:
    async with served.client() as over_http, shop.client() as in_process:
        pages = [
            await client.order.get_order_list(page_size=100, sort_field="create_time")
            for client in (over_http, in_process)
        ]
    first, second = ([order.id for order in page.data.orders] for page in pages)
    assert first == second


def test_an_error_at_startup_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError("no ports left")

    monkeypatch.setattr("tiktok_shop_async.testing.sandboxes.run_sandbox", refuse)
    with pytest.raises(OSError, match="no ports left"), serve_sandbox():
        pass


async def test_options_of_a_client_win(shop: Sandbox) -> None:
    async with shop.client(auth=AuthState(access_token=shop.access_token)) as client:
        with pytest.raises(InvalidArgumentError, match="shop_cipher"):
            await client.order.get_order_detail(ids=["1"])
        assert (await client.authorization.get_authorized_shops()).data.shops
    async with (
        httpx.AsyncClient(transport=shop.transport) as http_client,
        shop.client(http_client=http_client) as client,
    ):
        assert (await client.authorization.get_authorized_shops()).data.shops


async def test_a_delivery_is_repeated_when_the_clock_is_moved(shop: Sandbox) -> None:
    receiver = Receiver()
    receiver.listen_to(shop)
    [delivery] = shop.fire("ORDER_STATUS_CHANGE")
    await shop.webhooks.drain()
    assert delivery.state == "waiting"
    shop.clock.advance(119)
    await shop.webhooks.drain()
    assert len(receiver.bodies) == 1
    receiver.status = 200
    shop.clock.advance(1)
    await shop.webhooks.drain()
    assert delivery.state == "delivered"
    assert receiver.bodies == [delivery.body] * 2


async def test_what_time_does_to_an_order_is_announced(shop: Sandbox) -> None:
    receiver = Receiver()
    receiver.status = 200
    receiver.listen_to(shop)
    order = next(order for order in shop.shop.orders.values() if order.status == "UNPAID")
    shop.clock.advance(2 * DAY)
    await shop.webhooks.drain()
    assert any(order.id.encode() in body for body in receiver.bodies)


def test_a_served_sandbox_delivers_webhooks_to_a_test_without_a_loop(served: Sandbox) -> None:
    receiver = Receiver()
    receiver.listen_to(served)
    [delivery] = served.fire("ORDER_STATUS_CHANGE")
    asyncio.run(served.webhooks.drain())
    assert delivery.state == "waiting"
    receiver.status = 200
    served.clock.advance(120)
    asyncio.run(served.webhooks.drain())
    assert delivery.state == "delivered"


async def test_a_slow_response_arrives_when_the_clock_is_moved(shop: Sandbox) -> None:
    shop.faults.add("slow_headers", seconds=DAY)
    async with shop.client() as client:
        call = asyncio.create_task(client.authorization.get_authorized_shops())
        while not any(each.processed for each in shop.requests):  # noqa: ASYNC110
            await asyncio.sleep(0)
        shop.clock.advance(DAY)
        assert (await call).data.shops


async def test_a_clock_counts_what_it_was_moved_by_as_slept() -> None:
    clock = MovableClock(lambda: 0.0)
    sleeping = asyncio.create_task(clock.sleep(DAY))
    await asyncio.sleep(0)
    clock.advance(DAY - 1)
    clock.advance(-DAY)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not sleeping.done()
    clock.advance(DAY + 1)
    await sleeping
    await clock.sleep(0.001)  # real time counts too
