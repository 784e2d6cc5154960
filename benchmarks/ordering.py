"""The cost of handling the events of one object in order, in one process, by store."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from .harness import Table, medians
from .receiving_server import APP_KEY, APP_SECRET, REDIS_PREFIX, TABLE_PREFIX, clean_up
from .webhooks import POSTGRESQL_URL, REDIS_URL

EVENTS = 1_000
ORDERS = 250
"""Objects of these events."""
AT_ONCE = 50
ROUNDS = 5
WAYS = {
    "without order": {},
    "ordered": {"ordered": True},
    "ordered, outdated events skipped": {"ordered": True, "skip_outdated": True},
}
NAMES = {
    "memory": "in memory",
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "redis": "Redis",
}
_numbers = itertools.count(time.time_ns())


async def measure() -> list[Table]:
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        places = {
            "memory": "",
            "sqlite": f"sqlite:///{folder}/webhooks.db",
            "postgresql": POSTGRESQL_URL,
            "redis": REDIS_URL,
        }
        for kind, place in places.items():
            await clean_up(kind, place)
            async with _store(kind, place) as store:
                figures = await medians(
                    {name: partial(_receive, store, way) for name, way in WAYS.items()}, ROUNDS
                )
            await clean_up(kind, place)
            title = f"Webhook events in order, {NAMES[kind]}"
            tables.append(Table(title, "µs per event, stored and handled", figures))
    return tables


async def _receive(store: Any, way: dict[str, bool]) -> float:
    """Return what an event took from its delivery until all were handled."""
    from tiktok_shop_async.webhooks import OrderStatusChange, WebhookReceiver, Webhooks

    receiver = WebhookReceiver(Webhooks(APP_KEY, APP_SECRET), store=store, **way)
    handled, is_done = itertools.count(1), asyncio.Event()

    @receiver.on(OrderStatusChange)
    async def count(event: OrderStatusChange) -> None:
        if next(handled) == EVENTS:
            is_done.set()

    deliveries = iter([_delivery(number) for number in range(EVENTS)])

    async def deliver() -> None:
        for body, signature in deliveries:
            assert await receiver.receive(body, signature) == 200

    async with receiver:
        start = time.perf_counter()
        await asyncio.gather(*(deliver() for _ in range(AT_ONCE)))
        await is_done.wait()
        taken = time.perf_counter() - start
        while (await store.counts()).waiting:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.005)
    return 1e6 * taken / EVENTS


def _delivery(number: int) -> tuple[bytes, str]:
    unique = next(_numbers)
    data = {
        "order_id": str(number % ORDERS),
        "order_status": "UNPAID",
        "is_on_hold_order": True,
        "update_time": unique // 1_000_000_000,
    }
    envelope = {
        "type": 1,
        "tts_notification_id": str(unique),
        "shop_id": "7495540735365777507",
        "timestamp": 1718305585,
        "data": data,
    }
    body = json.dumps(envelope, separators=(",", ":")).encode()
    return body, hmac.new(APP_SECRET.encode(), APP_KEY.encode() + body, hashlib.sha256).hexdigest()


@asynccontextmanager
async def _store(kind: str, place: str) -> AsyncIterator[Any]:
    from tiktok_shop_async.webhooks import MemoryWebhookStore, RedisWebhookStore, SQLWebhookStore

    if kind == "memory":
        yield MemoryWebhookStore(max_waiting=1_000_000)
    elif kind == "redis":
        async with RedisWebhookStore(place, prefix=REDIS_PREFIX) as in_redis:
            yield in_redis
    else:
        async with SQLWebhookStore(place, table_prefix=TABLE_PREFIX) as in_sql:
            await in_sql.create_schema()
            yield in_sql
