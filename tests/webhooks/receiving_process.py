"""A process that receives webhooks and notes which it handled, to be killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import attrs
import uvicorn

from tiktok_shop_async.webhooks import (
    RedisWebhookStore,
    SQLWebhookStore,
    WebhookEvent,
    WebhookReceiver,
    Webhooks,
)


@attrs.frozen(kw_only=True)
class Job:
    """What such a process has to do."""

    app_key: str
    app_secret: str
    store: str
    prefix: str
    port: int
    handled: str
    """A file that gets a line for each event: the process, and the event's id."""
    lease: float


def new_store(url: str, prefix: str) -> Any:
    if url.startswith("redis:"):
        return RedisWebhookStore(url, prefix=prefix)
    return SQLWebhookStore(url)


async def main(job: Job) -> None:
    file = os.open(job.handled, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with new_store(job.store, job.prefix) as store:
        receiver = WebhookReceiver(
            Webhooks(job.app_key, job.app_secret), store=store, lease=job.lease
        )

        @receiver.on(WebhookEvent)
        async def note(event: WebhookEvent) -> None:
            os.write(file, f"{os.getpid()} {event.id}\n".encode())

        config = uvicorn.Config(receiver, port=job.port, log_level="warning", lifespan="on")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(Job(**json.loads(sys.argv[1]))))
