"""A shop, a queue and a journal, and Taskiq workers as processes to start, to stop and to kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
from helpers.auth.databases import REDIS_URL, postgresql_database, redis_prefix
from helpers.batch.shops import CANCEL
from helpers.workers.app import VARIABLE, App, Job

from tiktok_shop_async.batch import CancelOutcome, SQLJournal
from tiktok_shop_async.sandbox import Sandbox, run_sandbox

TESTS = Path(__file__).parents[2]
BATCH = "a bad day"
PATIENCE = 300


@attrs.frozen(kw_only=True)
class World:
    """All that the workers share, as the test sees it."""

    sandbox: Sandbox
    journal: SQLJournal
    app: App

    @asynccontextmanager
    async def worker(self, *options: str) -> AsyncIterator[Process]:
        """Run the command ``taskiq worker`` with one process for tasks; it is killed in the end."""
        command = [sys.executable, "-m", "taskiq", "worker", "helpers.workers.app:new_broker"]
        command += ["--app-dir", str(TESTS), "--workers", "1", "--max-async-tasks", "2"]
        running = await asyncio.create_subprocess_exec(
            *command,
            *("--log-level", "WARNING"),
            *options,
            env={**os.environ, VARIABLE: json.dumps(attrs.asdict(self.app.job))},
            start_new_session=True,
        )
        try:
            yield running
        finally:
            kill(running)
            await running.wait()

    async def finals(self) -> int:
        """Return how many orders are final."""
        counts = await self.journal.counts()
        return sum(rows for state, rows in counts.items() if state != "sending")

    async def outcomes(self) -> list[CancelOutcome]:
        return [
            CancelOutcome.of_record(
                each, index=0, key=each.key, request=each.key, order_id=each.key
            )
            async for each in self.journal.records()
        ]

    async def all_done(self) -> None:
        await until(self._is_all_done)

    async def _is_all_done(self) -> bool:
        return not await self.app.broker.unfinished()


async def until(holds: Callable[[], Any]) -> None:
    while not await holds():  # noqa: ASYNC110 - other processes do it
        await asyncio.sleep(0.05)


def kill(running: Process) -> None:
    """Kill a worker with all its processes, as a machine that loses its power does."""
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)


@asynccontextmanager
async def world(orders: int, **settings: Any) -> AsyncIterator[World]:
    """Give a shop, an empty queue and an empty journal; nothing of it stays."""
    async with (
        asyncio.timeout(PATIENCE),
        postgresql_database() as url,
        redis_prefix() as prefix,
        run_sandbox(orders=orders) as sandbox,
        SQLJournal(url) as journal,
    ):
        await journal.create_schema()
        job = Job(
            redis=REDIS_URL,
            queue=f"{prefix}orders",
            journal=url,
            client={
                "app_key": sandbox.app_key,
                "app_secret": sandbox.app_secret,
                "access_token": sandbox.access_token,
                "shop_cipher": sandbox.shop_cipher,
                "base_url": sandbox.base_url,
            },
            **settings,
        )
        app = App(job)
        await app.broker.startup()
        try:
            yield World(sandbox=sandbox, journal=journal.for_batch(BATCH), app=app)
        finally:
            await app.broker.shutdown()


def add_faults(sandbox: Sandbox) -> None:
    """5 % answers lost, 3 % resets before, 10 % throttled, 1 % failures, half of them late."""
    add = sandbox.faults.add
    add("lost_answer", operation=CANCEL, probability=0.05, seed=1)
    add("reset_before", operation=CANCEL, probability=0.03, seed=2)
    add("throttled", operation=CANCEL, probability=0.10, seed=3)
    add("internal_error", operation=CANCEL, probability=0.005, seed=4)
    add("internal_error", operation=CANCEL, probability=0.005, seed=5, after_processing=True)
