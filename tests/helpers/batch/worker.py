"""A process that cancels orders by a journal; the service it talks to is a file of what was done.

It says "ready" and waits for a line; in the end it says how many outcomes there were, by status.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async.batch import SQLJournal, Verdict, run_batch


async def main(database: str, done: Path, count: int, concurrency: int, lease: float) -> None:
    service = os.open(done, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    async def answer(request: httpx.Request) -> httpx.Response:
        order_id = json.loads(request.content)["order_id"]
        await asyncio.sleep(random.random() / 50)  # noqa: S311
        os.write(service, f"{order_id}\n".encode())
        await asyncio.sleep(random.random() / 50)  # noqa: S311
        return httpx.Response(200, json={"code": 0, "request_id": order_id, "data": {}})

    async def look(request: Any) -> Verdict:
        happened = request["order_id"] in done.read_text().split()
        return Verdict(status="succeeded" if happened else "not_done")

    print("ready", flush=True)
    sys.stdin.readline()
    outcomes: Counter[str] = Counter()
    async with (
        AsyncTikTokShop(
            "key",
            "secret",
            access_token="token",
            shop_cipher="cipher",
            transport=httpx.MockTransport(answer),
        ) as client,
        SQLJournal(database, lease=lease) as journal,
        run_batch(
            client.return_refund.cancel_order,
            ({"order_id": f"{n}", "cancel_reason": "sold out"} for n in range(count)),
            concurrency=concurrency,
            key=lambda request: request["order_id"],
            journal=journal,
            resolve=look,
        ) as batch,
    ):
        async for outcome in batch:
            outcomes[outcome.status] += 1
            outcomes["resumed"] += outcome.resumed
    print(json.dumps(outcomes), flush=True)


if __name__ == "__main__":
    database, done, count, concurrency, lease = sys.argv[1:]
    asyncio.run(main(database, Path(done), int(count), int(concurrency), float(lease)))
