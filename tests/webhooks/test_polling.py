"""A poller finds what webhooks have missed, against a sandbox over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tiktok_shop_async import AsyncTikTokShop, InvalidArgumentError, TikTokShopError
from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.sandbox import Sandbox, run_sandbox
from tiktok_shop_async.webhooks import (
    CancellationStatusChange,
    MemoryWebhookStore,
    OrderStatusChange,
    ReturnStatusChange,
    WebhookEvent,
    WebhookPoller,
    WebhookReceiver,
    Webhooks,
)

REASON = "seller_cancel_reason_out_of_stock"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with run_sandbox(orders=60, pending_share=0.0, clock=MovableClock()) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[AsyncTikTokShop]:
    async with sandbox.client() as client:
        yield client


class World:
    """A sandbox, and a poller with a receiver that has received nothing yet."""

    def __init__(self, sandbox: Sandbox, client: AsyncTikTokShop, **options: Any) -> None:
        self.sandbox = sandbox
        self.client = client
        self.store = MemoryWebhookStore(clock=sandbox.clock)
        self.poller = self.another_poller(**options)

    def another_poller(self, **options: Any) -> WebhookPoller:
        known = {"shop_id": self.sandbox.shop.id, "clock": self.sandbox.clock}
        return WebhookPoller(self.client, self.store, **{**known, **options})

    async def events(self) -> list[WebhookEvent]:
        """Return what waits to be handled."""
        webhooks = Webhooks(self.sandbox.app_key, self.sandbox.app_secret)
        claims = await self.store.claim(10_000, lease=60)
        for claim in claims:
            await self.store.finish(claim)
        return [webhooks.parse(claim.body, id=claim.id, app_key=claim.app_key) for claim in claims]


@pytest.fixture
async def world(sandbox: Sandbox, client: AsyncTikTokShop) -> World:
    """One that has seen all there was."""
    world = World(sandbox, client, lookback=400 * 86_400)
    sandbox.clock.advance(1000)
    await world.poller.poll()
    await world.events()
    return world


def cancellable(sandbox: Sandbox) -> list[str]:
    return [
        order.id
        for order in sandbox.shop.orders.values()
        if order.status == "AWAITING_SHIPMENT" and not order.cancellations
    ]


async def test_the_first_poll_finds_all_changes_of_its_window(
    sandbox: Sandbox, client: AsyncTikTokShop
) -> None:
    """Each once, as many pages and days as there are."""
    world = World(sandbox, client, lookback=400 * 86_400)
    found = await world.poller.poll()
    events = await world.events()
    assert found == len(events)
    orders = [each.data.order_id for each in events if isinstance(each, OrderStatusChange)]
    assert sorted(orders) == sorted(sandbox.shop.orders)
    cancellations = {
        each.id for order in sandbox.shop.orders.values() for each in order.cancellations
    }
    found_cancellations = {
        each.data.cancel_id for each in events if isinstance(each, CancellationStatusChange)
    }
    assert found_cancellations == cancellations
    assert await world.poller.poll() == 0


async def test_changes_are_put_in_order_as_the_receiver_puts_them(world: World) -> None:
    order_id = cancellable(world.sandbox)[0]
    response = await world.client.return_refund.cancel_order(
        order_id=order_id, cancel_reason=REASON
    )
    assert await world.another_poller(ordered=True, skip_outdated=True).poll() == 2
    owner = f"{world.sandbox.app_key}/{world.sandbox.shop.id}"
    claims = await world.store.claim(10, lease=60)
    assert sorted(str(each.object) for each in claims) == [
        f"{owner}/cancellation/{response.data.cancel_id}",
        f"{owner}/order/{order_id}",
    ]
    with pytest.raises(InvalidArgumentError, match="requires ordered=True"):
        world.another_poller(skip_outdated=True)


async def test_an_order_cancelled_meanwhile_is_found_once(world: World) -> None:
    order_id = cancellable(world.sandbox)[0]
    response = await world.client.return_refund.cancel_order(
        order_id=order_id, cancel_reason=REASON
    )
    assert await world.poller.poll() == 2
    assert await world.poller.poll() == 0
    order, cancellation = sorted(await world.events(), key=lambda each: each.type or 0)
    assert isinstance(order, OrderStatusChange)
    assert (order.data.order_id, order.data.order_status) == (order_id, "CANCEL")
    assert order.shop_id == world.sandbox.shop.id
    assert order.tts_notification_id is None
    assert order.app_key == world.sandbox.app_key
    assert isinstance(cancellation, CancellationStatusChange)
    assert cancellation.data.cancel_id == response.data.cancel_id
    assert cancellation.data.cancellations_role == "SELLER"


async def test_a_return_is_found(world: World) -> None:
    order = next(
        each
        for each in world.sandbox.shop.orders.values()
        if each.status in {"IN_TRANSIT", "DELIVERED"}
    )
    made = await world.client.return_refund.create_return(
        order_id=order.id,
        return_type="REFUND",
        return_reason="ecom_order_delivered_refund_reason_missing_product_seller",
        order_line_item_ids=[order.lines[0].id],
    )
    await world.poller.poll()
    (found,) = [each for each in await world.events() if isinstance(each, ReturnStatusChange)]
    assert found.data.return_id == made.data.return_id
    assert found.data.return_status
    assert found.data.update_time


async def test_a_change_that_a_webhook_reported_is_not_added_again(world: World) -> None:
    """Whichever of the two comes first; both come from the sandbox as they are spelled there."""
    bodies: list[tuple[bytes, str]] = []

    def keep(request: httpx.Request) -> httpx.Response:
        bodies.append((request.content, request.headers["authorization"]))
        return httpx.Response(200)

    world.sandbox.webhooks.default_url = "http://app.example/hook"
    world.sandbox.webhooks.transport = httpx.MockTransport(keep)
    webhooks = Webhooks(world.sandbox.app_key, world.sandbox.app_secret)
    async with WebhookReceiver(webhooks, store=world.store) as receiver:
        first, second = cancellable(world.sandbox)[:2]
        cancel = world.client.return_refund.cancel_order
        await cancel(order_id=first, cancel_reason=REASON)
        await world.sandbox.webhooks.drain()
        assert [await receiver.receive(*each) for each in bodies] == [200, 200]
        assert await world.poller.poll() == 0
        bodies.clear()
        await cancel(order_id=second, cancel_reason=REASON)
        await world.sandbox.webhooks.drain()
        assert await world.poller.poll() == 2
        events: list[Any] = []
        receiver.on(WebhookEvent)(events.append)
        assert [await receiver.receive(*each) for each in bodies] == [200, 200]
    # What was found was handled by a receiver without handlers, or by this one; no webhook was.
    assert all(each.tts_notification_id is None for each in events)


async def test_a_failure_loses_nothing(world: World) -> None:
    """The cursor stays behind stored events; an event that was added is not added again."""
    order_id = cancellable(world.sandbox)[0]
    await world.client.return_refund.cancel_order(order_id=order_id, cancel_reason=REASON)
    world.sandbox.faults.add(
        "internal_error", operation="return_refund.search_cancellations", times=3
    )
    with pytest.raises(TikTokShopError):
        await world.poller.poll()
    assert [each.type for each in await world.events()] == [1]
    world.sandbox.clock.advance(3 * 86_400)
    assert await world.another_poller().poll() >= 1
    assert 11 in [each.type for each in await world.events()]


async def test_items_that_move_between_pages_are_found() -> None:
    """A service that counts places: what leaves the window shifts the rest by one."""
    orders = [
        {"id": str(each), "status": "UNPAID", "update_time": 1000 + each} for each in range(6)
    ]
    calls = 0

    def respond(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        data: dict[str, Any] = {}
        if request.url.path.endswith("/orders/search"):
            calls += 1
            at = int(request.url.params.get("page_token") or 0)
            window = json.loads(request.content)
            start, end = window["update_time_ge"], window["update_time_lt"]
            listed = [each for each in orders if start <= each["update_time"] < end]
            data = {"orders": listed[at : at + 2]}
            if at + 2 < len(listed):
                data["next_page_token"] = str(at + 2)
            if calls == 1:
                orders[0] = {**orders[0], "update_time": 999_999}
        return httpx.Response(200, json={"code": 0, "request_id": "1", "data": data})

    async with AsyncTikTokShop(
        "key", "secret", access_token="t", shop_cipher="c", transport=httpx.MockTransport(respond)
    ) as client:
        store = MemoryWebhookStore()
        poller = WebhookPoller(client, store, shop_id="7", clock=lambda: 2000.0)
        assert await poller.poll() == 6


async def test_polling_continues_after_failures(world: World) -> None:
    """Until it is closed; a pause is about as long as was asked for."""
    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            enough.set()
            await asyncio.Event().wait()

    world.sandbox.faults.add("internal_error", operation="order.get_order_list", times=3)
    order_id = cancellable(world.sandbox)[0]
    await world.client.return_refund.cancel_order(order_id=order_id, cancel_reason=REASON)
    async with world.another_poller(every=300, sleep=sleep):
        await enough.wait()
    assert all(270 <= pause <= 330 for pause in pauses)
    assert len(await world.events()) == 2


@pytest.mark.parametrize("options", [{"every": 0}, {"overlap": -1}, {"lookback": -1}])
async def test_invalid_times_are_rejected(options: Any, client: AsyncTikTokShop) -> None:
    with pytest.raises(InvalidArgumentError):
        WebhookPoller(client, MemoryWebhookStore(), shop_id="7", **options)
