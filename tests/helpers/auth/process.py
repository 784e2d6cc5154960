"""Another process on the same store: takes a lock and stays, or creates the tables."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from tiktok_shop_async.auth import RedisTokenStore, SQLTokenStore


async def main(kind: str, place: str, task: str, options: Any) -> None:
    stores: Any = {"sql": SQLTokenStore, "redis": RedisTokenStore}
    async with stores[kind](place, **options) as store:
        if task == "create":
            await store.create_schema()
            print(await store.put(f"process-{os.getpid()}", b"", version=0), flush=True)
        else:
            async with store.lock(task):
                print("locked", flush=True)
                await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:4], json.loads(sys.argv[4])))
