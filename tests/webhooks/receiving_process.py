"""A process that receives webhooks and notes which it handled, to be killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
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
    """The job of such a process."""

    app_key: str
    app_secret: str
    store: str
    prefix: str
    port: int
    handled: str
    """A file that gets a line for each event: the process, and the event's id."""
    lease: float
    ordered: bool = False
    """True to handle events in order; each line then has the order and its status too."""
    failures: float = 0.0
    """The share of attempts that fail."""


def new_store(url: str, prefix: str) -> Any:
    if url.startswith("redis:"):
        return RedisWebhookStore(url, prefix=prefix)
    return SQLWebhookStore(url)


async def main(job: Job) -> None:
    file = os.open(job.handled, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with new_store(job.store, job.prefix) as store:
        receiver = WebhookReceiver(
            Webhooks(job.app_key, job.app_secret),
            store=store,
            lease=job.lease,
            ordered=job.ordered,
            pauses=(0.05, 0.05, 0.1, 0.1, 0.2, 0.2, 0.5, 0.5),
        )

        @receiver.on(WebhookEvent)
        async def note(event: Any) -> None:
            if random.random() < job.failures:  # noqa: S311
                raise ConnectionError
            line = f"{os.getpid()} {event.id}"
            if job.ordered:
                await asyncio.sleep(random.uniform(0, 0.01))  # noqa: S311
                line += f" {event.data.order_id} {event.data.order_status}"
            os.write(file, f"{line}\n".encode())

        config = uvicorn.Config(receiver, port=job.port, log_level="warning", lifespan="on")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(Job(**json.loads(sys.argv[1]))))
