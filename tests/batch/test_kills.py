"""Processes that are killed at any point: each key is sent once, and ends in one final state."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from helpers.auth.databases import postgresql_database

from tiktok_shop_async.batch import SQLJournal

WORKER = Path(__file__).parents[1] / "helpers" / "batch" / "worker.py"
LEASE = 1.0
COUNT = 400
CONCURRENCY = 20


@asynccontextmanager
async def worker(
    database: str, done: Path, concurrency: int = CONCURRENCY
) -> AsyncIterator[Process]:
    arguments = (database, done, str(COUNT), str(concurrency), str(LEASE))
    process = await asyncio.create_subprocess_exec(
        sys.executable, WORKER, *map(str, arguments), stdin=PIPE, stdout=PIPE
    )
    try:
        assert await said(process) == "ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


def begin(*processes: Process) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")


async def done_more_than(number: int, done: Path) -> None:
    """Wait for the service, which is the only one to know how far they are."""
    while not done.exists() or len(done.read_text().split()) <= number:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def assert_all_is_done_once(database: str, done: Path) -> None:
    times = Counter(done.read_text().split())
    assert times == dict.fromkeys(map(str, range(COUNT)), 1)
    async with SQLJournal(database) as journal:
        records = [record async for record in journal.records()]
    assert Counter(record.status for record in records) == {"succeeded": COUNT}
    assert {record.key for record in records} == times.keys()


def outcomes(line: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(line)
    return told


async def test_killed_again_and_again_and_resumed(tmp_path: Path) -> None:
    database, done = f"sqlite:///{tmp_path / 'journal.db'}", tmp_path / "done"
    for part in (0.1, 0.3, 0.5, 0.7):
        async with worker(database, done) as process:
            begin(process)
            await done_more_than(int(part * COUNT), done)
            await asyncio.sleep(random.random() / 20)  # noqa: S311
            process.kill()
    async with worker(database, done) as process, asyncio.timeout(30):
        begin(process)
        told = outcomes(await said(process))
    assert told["succeeded"] == COUNT
    # At each kill, those under way were done and not noted, and are done and counted again.
    assert told["resumed"] >= 0.7 * COUNT - 4 * CONCURRENCY
    await assert_all_is_done_once(database, done)


async def test_many_share_one_journal_and_two_are_killed(tmp_path: Path) -> None:
    done = tmp_path / "done"
    async with postgresql_database() as database:
        async with SQLJournal(database) as journal:
            await journal.create_schema()
        async with (
            worker(database, done) as first,
            worker(database, done) as second,
            worker(database, done) as third,
            worker(database, done) as fourth,
            asyncio.timeout(60),
        ):
            begin(first, second, third, fourth)
            await done_more_than(COUNT // 4, done)
            first.kill()
            await done_more_than(COUNT // 2, done)
            second.kill()
            told: Iterable[dict[str, Any]] = map(
                outcomes, await asyncio.gather(said(third), said(fourth))
            )
        assert [each["succeeded"] for each in told] == [COUNT, COUNT]
        await assert_all_is_done_once(database, done)
