"""A process that reads events from standard input and adds them to a SQL store at once."""

from __future__ import annotations

import asyncio
import json
import sys

from tiktok_shop_async.webhooks import NewEvent, SQLWebhookStore


async def main(url: str) -> None:
    async with SQLWebhookStore(url) as store:
        await store.counts()
        print("ready", flush=True)
        rows = json.loads(await asyncio.to_thread(sys.stdin.read))
        events = [
            NewEvent(
                id=id_,
                body=b"{}",
                app_key="key",
                aliases=frozenset(aliases),
                unless=frozenset(unless),
            )
            for id_, aliases, unless in rows
        ]
        print(sum(await asyncio.gather(*(store.add(event) for event in events))))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
