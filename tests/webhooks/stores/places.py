"""Places for stores of every kind, so that several can be opened at one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
from auth.databases import REDIS_URL, postgresql_database, redis_prefix

from tiktok_shop_async.webhooks import (
    ClaimedEvent,
    MemoryWebhookStore,
    NewEvent,
    RedisWebhookStore,
    SQLWebhookStore,
    WebhookStore,
)

LEASE = 60.0
KINDS = ["memory", "sqlite", "postgresql", "redis"]


@attrs.frozen
class Place:
    """The location of a store, so that another one can be opened there."""

    kind: str
    url: str = ""
    prefix: str = ""
    memory: MemoryWebhookStore = attrs.field(factory=MemoryWebhookStore)

    @asynccontextmanager
    async def opened(self, **options: Any) -> AsyncIterator[WebhookStore]:
        if self.kind == "memory":
            yield MemoryWebhookStore(**options) if options else self.memory
        elif self.kind == "redis":
            async with RedisWebhookStore(self.url, prefix=self.prefix, **options) as in_redis:
                yield in_redis
        else:
            async with SQLWebhookStore(self.url, **options) as in_sql:
                yield in_sql


@asynccontextmanager
async def place_of(kind: str, folder: Path) -> AsyncIterator[Place]:
    if kind == "postgresql":
        async with postgresql_database() as url:
            async with SQLWebhookStore(url) as store:
                await store.create_schema()
            yield Place(kind, url)
    elif kind == "redis":
        async with redis_prefix() as prefix:
            yield Place(kind, REDIS_URL, prefix)
    else:
        yield Place(kind, f"sqlite:///{folder / 'webhooks.db'}")


def event(number: int = 1, **facts: Any) -> NewEvent:
    return NewEvent(id=f"id-{number}", body=b"\xff\x00{%d}" % number, app_key="key", **facts)


async def claim(store: WebhookStore, most: int = 100, lease: float = LEASE) -> list[ClaimedEvent]:
    return list(await store.claim(most, lease=lease))
