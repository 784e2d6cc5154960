"""A process that runs batches by a journal, to be killed; says what became of each request."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import attrs
import httpx
from helpers.batch.damage import Record, Service

from tiktok_shop_async import AsyncTikTokShop, RequestOptions
from tiktok_shop_async.batch import SQLJournal, Verdict, run_batch
from tiktok_shop_async.pipeline.retry import ExponentialBackoff

SETTLE = 0.3
"""Seconds after which a request of a process that was killed has arrived, or never will."""


@attrs.frozen(kw_only=True)
class Job:
    """What such a process has to do."""

    journal: str
    record: str
    count: int
    url: str | None
    """Of the service; without one it is in this process."""
    seed: int
    has_faults: bool
    lease: float


async def main(job: Job) -> None:
    record = Record(Path(job.record))
    service = Service(record, Random(job.seed), job.has_faults)  # noqa: S311
    client = AsyncTikTokShop(
        "key",
        "secret",
        access_token="token",
        shop_cipher="cipher",
        base_url=job.url or "http://service.local",
        transport=None if job.url else httpx.MockTransport(service),
        retry_policy=ExponentialBackoff(base=0.01),
        timeout=5.0,
    )

    async def look(request: Any) -> Verdict:
        await asyncio.sleep(SETTLE)
        arrivals = record.arrivals()["looked up", request["order_id"]]
        return Verdict(status="succeeded" if any(a.processed for a in arrivals) else "not_done")

    async def run(name: str, journal: SQLJournal) -> None:
        options = RequestOptions(extra_query={"test_batch": name})
        batch: Any
        if name == "keyed":
            requests: list[dict[str, Any]] = [
                {"return_id": str(n), "decision": "APPROVE_RETURN", "options": options}
                for n in range(job.count)
            ]
            batch = run_batch(
                client.return_refund.approve_return,
                requests,
                key=lambda each: str(each["return_id"]),
                journal=journal.for_batch(name),
            )
        else:
            requests = [
                {"order_id": str(n), "cancel_reason": "sold out", "options": options}
                for n in range(job.count)
            ]
            batch = run_batch(
                client.return_refund.cancel_order,
                requests,
                key=lambda each: str(each["order_id"]),
                journal=journal.for_batch(name),
                resolve=look if name == "looked up" else None,
            )
        async for each in batch:
            said = {"batch": name, "id": each.key, "status": each.status, "resumed": each.resumed}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()

    async with client, SQLJournal(job.journal, lease=job.lease) as journal:
        await asyncio.gather(*(run(name, journal) for name in ("keyed", "looked up", "blind")))


if __name__ == "__main__":
    asyncio.run(main(Job(**json.loads(sys.argv[1]))))
