"""A batch takes as much memory for many requests as for few."""

from __future__ import annotations

import subprocess
import sys

RUN = """
import asyncio, resource, sys
from tiktok_shop_async.batch import run_batch

async def call(*, number):
    return number

async def main():
    requests = ({"number": number} for number in range(int(sys.argv[1])))
    count = 0
    async for outcome in run_batch(call, requests, concurrency=100):
        count += outcome.succeeded
    print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

asyncio.run(main())
"""


def most_memory(count: int) -> int:
    command = [sys.executable, "-c", RUN, str(count)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    succeeded, memory = map(int, run.stdout.split())
    assert succeeded == count
    return memory


def test_memory_stays_flat() -> None:
    """Of a million it is measured by ``python -m benchmarks batch``."""
    assert most_memory(100_000) <= 1.2 * most_memory(10_000)
