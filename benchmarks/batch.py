"""What a batch adds to each call, how much memory a million take, and what a journal does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tiktok_shop_async.batch import drive, run_batch

from .harness import Goal, Table, medians

COUNT = 50_000
CONCURRENCY = 100
LOOP = "a bare loop of awaits"
DRIVE = "drive"
BATCH = "run_batch"
JOURNAL = "run_batch, journal in SQLite"
FEW, MANY = 10_000, 1_000_000
MOST_MICROSECONDS = 10


async def measure() -> list[Table]:
    contestants = {LOOP: _loop, DRIVE: _drive, BATCH: _batch, JOURNAL: _journal}
    figures = await medians(contestants, rounds=3)
    added = figures[DRIVE] - figures[LOOP]
    verdict = "met" if added <= MOST_MICROSECONDS else "**missed**"
    per_second = f"{1e6 / figures[JOURNAL]:,.0f}"
    notes = [
        f"the engine adds {added:.1f} µs (goal: at most {MOST_MICROSECONDS}): {verdict}",
        f"the journal claims and ends {per_second} a second, {CONCURRENCY} at once",
    ]
    memory = {f"{count:,} requests": _memory(count) for count in (FEW, MANY)}
    few, many = memory
    return [
        Table("A batch of calls that do nothing", "µs per request", figures, notes=notes),
        Table("Memory of a batch", "MB at most", memory, [Goal(many, few, 1.2)]),
    ]


async def _call(*, number: int) -> int:
    return number


def _requests(count: int) -> Iterator[dict[str, Any]]:
    return ({"number": number} for number in range(count))


async def _loop() -> float:
    start = time.perf_counter()
    for request in _requests(COUNT):
        await _call(**request)
    return 1e6 * (time.perf_counter() - start) / COUNT


async def _drive() -> float:
    async def work(index: int, request: dict[str, Any]) -> int:
        return await _call(**request)

    start = time.perf_counter()
    async for _ in drive(work, _requests(COUNT), concurrency=CONCURRENCY):
        pass
    return 1e6 * (time.perf_counter() - start) / COUNT


async def _batch(count: int = COUNT, **options: Any) -> float:
    start = time.perf_counter()
    async for _ in run_batch(_call, _requests(count), concurrency=CONCURRENCY, **options):
        pass
    return 1e6 * (time.perf_counter() - start) / count


async def _journal() -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "journal.db"
        return await _batch(COUNT // 5, key=lambda each: str(each["number"]), journal=file)


def _memory(count: int) -> float:
    """Return the peak of a process of its own."""
    command = [sys.executable, "-m", __name__, str(count)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(run.stdout)


if __name__ == "__main__":
    import resource

    asyncio.run(_batch(int(sys.argv[1])))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
