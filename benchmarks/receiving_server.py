"""A receiver of webhooks behind uvicorn, on one core, for ``webhooks.py``."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import sys
from contextlib import AsyncExitStack
from typing import Any

APP_KEY, APP_SECRET = "key", "secret"
TABLE_PREFIX, REDIS_PREFIX = "tiktok_shop_bench_", "tiktok-shop-bench:"


async def main(kind: str, place: str, *, clean: bool = False) -> None:
    """Serve until the process ends, or delete what an earlier one left behind."""
    if clean:
        await clean_up(kind, place)
        return
    import uvicorn  # not in the environment of the benchmarks that import this module

    async with AsyncExitStack() as opened:
        app = by_hand if kind == "by hand" else await _receiver(kind, place, opened)
        config = uvicorn.Config(_Counted(app), port=0, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        await serving


class _Counted:
    """An application that also says how many events were handled: ``GET /``."""

    handled = 0

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["method"] == "POST":
            await self._app(scope, receive, send)
        else:
            await answer(send, 200, str(self.handled).encode())


async def answer(send: Any, status: int, body: bytes = b"") -> None:
    """Send an answer."""
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _receiver(kind: str, place: str, opened: AsyncExitStack) -> Any:
    from tiktok_shop_async.webhooks import (
        MemoryWebhookStore,
        OrderStatusChange,
        RedisWebhookStore,
        SQLWebhookStore,
        WebhookReceiver,
        Webhooks,
    )

    store: Any = MemoryWebhookStore(max_waiting=1_000_000)
    if kind == "redis":
        store = await opened.enter_async_context(RedisWebhookStore(place, prefix=REDIS_PREFIX))
    elif kind != "memory":
        store = SQLWebhookStore(place, table_prefix=TABLE_PREFIX)
        await opened.enter_async_context(store)
        await store.create_schema()
    receiver = WebhookReceiver(Webhooks(APP_KEY, APP_SECRET), store=store)

    @receiver.on(OrderStatusChange)
    async def count(event: OrderStatusChange) -> None:
        _Counted.handled += 1

    return await opened.enter_async_context(receiver)


async def clean_up(kind: str, place: str) -> None:
    """Delete what an earlier run has left."""
    if kind == "redis":
        from redis.asyncio import Redis

        async with Redis.from_url(place) as client:
            async for name in client.scan_iter(match=f"{REDIS_PREFIX}*", count=1000):
                await client.unlink(name)
    elif kind == "postgresql":
        from tiktok_shop_async._storage.sql.engine import new_engine
        from tiktok_shop_async.webhooks import SQLWebhookStore

        tables = SQLWebhookStore(place, table_prefix=TABLE_PREFIX).metadata
        engine = new_engine(place)
        async with engine.begin() as connection:
            await connection.run_sync(tables.drop_all)
        await engine.dispose()


async def by_hand(scope: Any, receive: Any, send: Any) -> None:
    """Do what everyone writes first: verify, parse, forget."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    expected = hmac.new(APP_SECRET.encode(), APP_KEY.encode() + body, hashlib.sha256).hexdigest()
    given = dict(scope["headers"]).get(b"authorization", b"")
    fits = hmac.compare_digest(expected.encode(), given)
    json.loads(body)
    _Counted.handled += 1
    await answer(send, 200 if fits else 401)


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    asyncio.run(main(*sys.argv[1:3], clean="clean" in sys.argv))
