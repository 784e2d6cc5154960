"""The latest status of each order, as a handler writes it that gets the events in order."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import httpx
import pytest
from support import APP_KEY, APP_SECRET
from webhooks.receiving_process import Job, new_store
from webhooks.serving import WEBHOOKS, signed
from webhooks.stores.places import Place
from webhooks.test_handling import is_settled
from webhooks.test_killed_receivers import Receiver, free_port, places

from tiktok_shop_async.sandbox.webhook_delivery import sign
from tiktok_shop_async.webhooks import (
    MemoryWebhookStore,
    OrderStatusChange,
    RecipientAddressUpdate,
    WebhookEvent,
    WebhookReceiver,
    WebhookStore,
)

STATUSES = ["UNPAID", "AWAITING_SHIPMENT", "IN_TRANSIT", "DELIVERED", "COMPLETED"]
_notifications = itertools.count(7_380_066_284_010_000_000)


def changed(order: int, number: int, event_type: int = 1, update_time: int | None = None) -> bytes:
    """Return a delivery of an order's change; its update time grows with the number."""
    return json.dumps(
        {
            "type": event_type,
            "tts_notification_id": str(next(_notifications)),
            "shop_id": "7495540735365777507",
            "timestamp": 1718305585,
            "data": {
                "order_id": str(order),
                "order_status": STATUSES[number],
                "update_time": 1718305585 + number if update_time is None else update_time,
            },
        }
    ).encode()


async def test_an_event_that_fails_is_handled_before_a_later_one(store: WebhookStore) -> None:
    statuses: list[str | None] = []
    failures = iter([True, True])
    async with WebhookReceiver(
        WEBHOOKS, store=store, ordered=True, pauses=(0.01, 0.01)
    ) as receiver:

        @receiver.on(OrderStatusChange)
        async def write(event: OrderStatusChange) -> None:
            if next(failures, False):
                raise ConnectionError
            statuses.append(event.data.order_status)

        for number in range(3):
            await receiver.receive(*signed(changed(1, number)))
        await is_settled(store)
    assert statuses == STATUSES[:3]


async def test_a_dead_letter_unblocks_later_events(store: WebhookStore) -> None:
    statuses: list[str | None] = []
    async with WebhookReceiver(WEBHOOKS, store=store, ordered=True, pauses=(0.0,)) as receiver:

        @receiver.on(OrderStatusChange)
        async def write(event: OrderStatusChange) -> None:
            if event.data.order_status == "UNPAID":
                raise ConnectionError
            statuses.append(event.data.order_status)

        for number in range(3):
            await receiver.receive(*signed(changed(1, number)))
        await is_settled(store)
    assert statuses == STATUSES[1:3]
    assert (await store.counts()).dead == 1


async def test_a_late_delivery_of_an_older_status_is_skipped(
    store: WebhookStore, caplog: pytest.LogCaptureFixture
) -> None:
    """One of the same time is not, nor is an older event of another kind."""
    handled: list[tuple[str, int | None]] = []
    caplog.set_level(logging.INFO, "tiktok_shop_async.webhooks")
    async with WebhookReceiver(WEBHOOKS, store=store, ordered=True, skip_outdated=True) as receiver:

        @receiver.on(OrderStatusChange, RecipientAddressUpdate)
        async def write(event: OrderStatusChange | RecipientAddressUpdate) -> None:
            handled.append((type(event).__name__, event.data.update_time))

        for body in (
            changed(1, 2, update_time=20),
            changed(1, 0, update_time=10),
            changed(1, 1, update_time=20),
            changed(1, 0, 3, update_time=10),
            changed(2, 0, update_time=10),
        ):
            await receiver.receive(*signed(body))
            await is_settled(store)
    assert handled == [
        ("OrderStatusChange", 20),
        ("OrderStatusChange", 20),
        ("RecipientAddressUpdate", 10),
        ("OrderStatusChange", 10),
    ]
    assert "was skipped" in caplog.text


@pytest.mark.parametrize("odd", [1718305580_000, 0], ids=["milliseconds", "zero"])
async def test_an_odd_time_makes_no_newer_event_outdated(store: WebhookStore, odd: int) -> None:
    handled: list[int | None] = []
    async with WebhookReceiver(WEBHOOKS, store=store, ordered=True, skip_outdated=True) as receiver:

        @receiver.on(OrderStatusChange)
        async def write(event: OrderStatusChange) -> None:
            handled.append(event.data.update_time)

        for time in (1718305570, odd, 1718305590):
            await receiver.receive(*signed(changed(1, 0, update_time=time)))
            await is_settled(store)
    assert handled == [1718305570, odd, 1718305590]


async def test_a_replayed_dead_letter_is_skipped_if_it_is_outdated(store: WebhookStore) -> None:
    statuses: list[str | None] = []
    is_broken = True
    async with WebhookReceiver(
        WEBHOOKS, store=store, ordered=True, skip_outdated=True, pauses=()
    ) as receiver:

        @receiver.on(OrderStatusChange)
        async def write(event: OrderStatusChange) -> None:
            if is_broken:
                raise ConnectionError
            statuses.append(event.data.order_status)

        await receiver.receive(*signed(changed(1, 0)))
        await is_settled(store)
        is_broken = False
        await receiver.receive(*signed(changed(1, 1)))
        await is_settled(store)
        assert await store.replay() == 1
        await is_settled(store)
    assert statuses == [STATUSES[1]]
    assert (await store.counts()).dead == 0


async def test_events_without_an_object_are_handled_at_once(store: WebhookStore) -> None:
    both_run = asyncio.Barrier(2)
    async with WebhookReceiver(WEBHOOKS, store=store, ordered=True) as receiver:

        @receiver.on(WebhookEvent)
        async def wait(event: WebhookEvent) -> None:
            await both_run.wait()

        for number in range(2):
            body = {"type": 999, "tts_notification_id": str(number), "data": {"order_id": "1"}}
            await receiver.receive(*signed(json.dumps(body).encode()))
        await is_settled(store)


async def test_the_last_status_of_each_order_is_the_latest_in_memory() -> None:
    """200 orders, delivered in order; 2 % of the attempts fail."""
    random = Random(3)  # noqa: S311 - nothing secret
    written: dict[str | None, list[str | None]] = {}
    store = MemoryWebhookStore()
    async with WebhookReceiver(
        WEBHOOKS, store=store, ordered=True, pauses=(0.0, 0.01, 0.0, 0.0, 0.0)
    ) as receiver:

        @receiver.on(OrderStatusChange)
        async def write(event: OrderStatusChange) -> None:
            if random.random() < 0.02:
                raise ConnectionError
            await asyncio.sleep(random.choice([0, 0.001]))
            written.setdefault(event.data.order_id, []).append(event.data.order_status)

        for number in range(len(STATUSES)):
            for order in range(200):
                await receiver.receive(*signed(changed(order, number)))
        await is_settled(store)
    assert written == {str(order): STATUSES for order in range(200)}


@pytest.mark.parametrize(
    ("kind", "orders"),
    [
        pytest.param(kind, orders, marks=marks)
        for kind in ("sqlite", "postgresql", "redis")
        for orders, marks in ((40, ()), (200, pytest.mark.scale))
    ],
)
async def test_the_last_status_of_each_order_is_the_latest_across_processes(
    tmp_path: Path, kind: str, orders: int
) -> None:
    """They are delivered in order to any process; one of these is killed; 2 % fail."""
    log = tmp_path / "handled.txt"
    log.touch()
    async with (
        asyncio.timeout(240),
        places(kind, tmp_path) as (url, prefix),
        AsyncExitStack() as opened,
    ):
        jobs = [
            Job(
                app_key=APP_KEY,
                app_secret=APP_SECRET,
                store=url,
                prefix=prefix,
                port=free_port(),
                handled=str(log),
                lease=2.0,
                ordered=True,
                failures=0.02,
            )
            for _ in range(2)
        ]
        processes = [await opened.enter_async_context(Receiver(job).process()) for job in jobs]
        sending = asyncio.create_task(send_in_order([job.port for job in jobs], orders))
        while log.read_text().count("\n") < 2 * orders:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        processes[0].kill()
        await sending
        store = await opened.enter_async_context(new_store(url, prefix))
        while (await store.counts()).waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert (await store.counts()).dead == 0
    written: dict[str, list[int]] = {}
    for line in log.read_text().splitlines():
        *_, order, status = line.split()
        written.setdefault(order, []).append(STATUSES.index(status))
    assert written.keys() == {str(order) for order in range(orders)}
    assert [each for each in written.values() if each != sorted(each)] == []
    assert all(set(each) == set(range(len(STATUSES))) for each in written.values())


async def send_in_order(ports: list[int], count: int) -> None:
    """Send the changes of each order one after another, those of many orders at once."""
    random = Random(5)  # noqa: S311 - nothing secret
    orders = iter(range(count))
    async with httpx.AsyncClient(timeout=3, trust_env=False) as http:

        async def deliver(body: bytes) -> bool:
            url = f"http://127.0.0.1:{random.choice(ports)}/"
            headers = {"Authorization": sign(APP_KEY, APP_SECRET, body)}
            try:
                response = await http.post(url, content=body, headers=headers)
            except httpx.HTTPError:
                return False
            return response.status_code == httpx.codes.OK

        async def one_after_another(orders: Iterable[int]) -> None:
            for order in orders:
                for number in range(len(STATUSES)):
                    body = changed(order, number)
                    while not await deliver(body):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)

        await asyncio.gather(*(one_after_another(orders) for _ in range(20)))


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WebhookStore]:
    if request.param == "memory":
        yield MemoryWebhookStore()
        return
    async with (
        places(request.param, tmp_path) as (url, prefix),
        Place(request.param, url, prefix).opened() as store,
    ):
        yield store
