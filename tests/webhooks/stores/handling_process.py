"""A process that handles events in order, with failures, dead letters and replays, to be killed.

Each line of its log is "begin", "end" or "finished", the process and the event.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys

import attrs

from tiktok_shop_async.webhooks import (
    ClaimedEvent,
    RedisWebhookStore,
    SQLWebhookStore,
    WebhookStore,
)


@attrs.frozen(kw_only=True)
class Work:
    """The job of such a process."""

    store: str
    prefix: str
    log: str
    lease: float


class Handling:
    """The tasks of one process."""

    def __init__(self, work: Work, store: WebhookStore) -> None:
        self._store = store
        self._lease = work.lease
        self._log = os.open(work.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._random = random.Random()  # noqa: S311 - nothing secret

    async def run(self) -> None:
        await asyncio.gather(self._claim(), self._claim(), self._cancel_claims(), self._replay())

    def _note(self, what: str, claim: ClaimedEvent) -> None:
        os.write(self._log, f"{what} {os.getpid()} {claim.id}\n".encode())

    async def _claim(self) -> None:
        while True:
            claims = await self._store.claim(self._random.randint(1, 4), lease=self._lease)
            await asyncio.gather(*map(self._handle, claims))
            await asyncio.sleep(0.002)

    async def _handle(self, claim: ClaimedEvent) -> None:
        self._note("begin", claim)
        await asyncio.sleep(self._random.uniform(0, 0.005))
        self._note("end", claim)
        outcome = self._random.random()
        if outcome < 0.15:
            await self._store.put_back(claim, after=self._random.choice([0.0, 0.02]))
        elif outcome < 0.3:
            await self._store.dead_letter(claim, error="it failed")
        else:
            await self._store.finish(claim)
            self._note("finished", claim)

    async def _cancel_claims(self) -> None:
        while True:
            claiming = asyncio.create_task(self._store.claim(2, lease=self._lease))
            await asyncio.sleep(self._random.uniform(0, 0.004))
            claiming.cancel()
            await asyncio.wait([claiming])
            if not claiming.cancelled():
                await asyncio.gather(*map(self._handle, claiming.result()))

    async def _replay(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0, 0.05))
            await self._store.replay()
            await self._store.forget()


async def main(work: Work) -> None:
    if work.prefix:
        async with RedisWebhookStore(work.store, prefix=work.prefix) as in_redis:
            await Handling(work, in_redis).run()
    async with SQLWebhookStore(work.store) as in_sql:
        await Handling(work, in_sql).run()


if __name__ == "__main__":
    asyncio.run(main(Work(**json.loads(sys.argv[1]))))
