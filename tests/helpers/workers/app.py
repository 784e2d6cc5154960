"""A broker and its tasks, as the processes of a test and the test itself have them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
from redis.asyncio import Redis
from taskiq import TaskiqDepends

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async.batch import SQLJournal
from tiktok_shop_async.integrations.taskiq import (
    RedeliveringStreamBroker,
    ShopWorker,
    WorkerResources,
)
from tiktok_shop_async.pipeline.retry import ExponentialBackoff

VARIABLE = "TEST_WORKERS_JOB"


@attrs.frozen(kw_only=True)
class Job:
    """Where the workers of a test find all that they need."""

    redis: str
    queue: str
    journal: str
    client: dict[str, str]
    lease: float = 1.0
    redeliver_after: float = 1.0
    max_deliveries: int = 10


class App:
    """The broker of a job, and its tasks."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.broker = broker = RedeliveringStreamBroker(
            job.redis,
            queue_name=job.queue,
            redeliver_after=job.redeliver_after,
            max_deliveries=job.max_deliveries,
        )
        self.shop = shop = ShopWorker(broker, self.resources)

        @broker.task("tell_statuses")
        async def tell_statuses(
            order_ids: list[str], client: AsyncTikTokShop = TaskiqDepends(shop.client)
        ) -> None:
            found = await client.order.get_order_detail(ids=order_ids)
            await self.note(" ".join(str(order.status) for order in found.data.orders))

        @broker.task("take")
        async def take(seconds: float) -> None:
            await self.note("began")
            await asyncio.sleep(seconds)
            await self.note("ended")

        self.tell_statuses, self.take = tell_statuses, take

    @asynccontextmanager
    async def resources(self) -> AsyncIterator[WorkerResources]:
        client = AsyncTikTokShop(**self.job.client, retry_policy=ExponentialBackoff(base=0.05))
        async with SQLJournal(self.job.journal, lease=self.job.lease) as journal, client:
            await self.note("opened")
            yield WorkerResources(client=client, journal=journal)
            await self.note("closed")

    async def note(self, what: str) -> None:
        """Leave a word for the test."""
        async with Redis.from_url(self.job.redis) as redis:
            await redis.rpush(f"{self.job.queue}:notes", what)

    async def notes(self) -> list[str]:
        async with Redis.from_url(self.job.redis) as redis:
            return [each.decode() for each in await redis.lrange(f"{self.job.queue}:notes", 0, -1)]


def new_broker() -> RedeliveringStreamBroker:
    """Return the broker of the job that a worker process was given."""
    return App(Job(**json.loads(os.environ[VARIABLE]))).broker
