"""A process that cancels orders with a journal, to be killed; says what became of each."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import attrs

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async.batch import SQLJournal, cancel_orders
from tiktok_shop_async.pipeline.retry import ExponentialBackoff


@attrs.frozen(kw_only=True)
class Job:
    """What such a process has to do."""

    client: dict[str, str]
    journal: str
    lease: float
    orders: str
    """A file with an order id a line."""
    options: dict[str, Any]


async def main(job: Job) -> None:
    orders = await asyncio.to_thread(lambda: Path(job.orders).read_text().split())
    client = AsyncTikTokShop(**job.client, retry_policy=ExponentialBackoff(base=0.05))
    async with SQLJournal(job.journal, lease=job.lease) as journal, client:
        async for each in cancel_orders(client, orders, journal=journal, **job.options):
            said = {
                "order_id": each.order_id,
                "status": each.status,
                "cancel_id": each.cancel_id,
                "resumed": each.resumed,
                "message": each.message,
            }
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()
    sys.stdout.write("\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Job(**json.loads(sys.argv[1]))))
    os._exit(0)
