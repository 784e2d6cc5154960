"""Workers without processes of their own: as many as a test wants, in its own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from helpers.workers.app import App, Job
from taskiq.receiver import Receiver


@asynccontextmanager
async def worker_here(job: Job, **options: Any) -> AsyncIterator[App]:
    """Run a worker as the command does; it is told to end in the end."""
    app = App(job)
    app.broker.is_worker_process = True
    receiver = Receiver(app.broker, max_async_tasks=2, **options)
    told_to_end = asyncio.Event()
    async with asyncio.TaskGroup() as group:  # a worker that fails ends its test at once
        running = group.create_task(receiver.listen(told_to_end))
        try:
            yield app
        finally:
            told_to_end.set()
            try:
                await running
            finally:
                await app.broker.shutdown()


async def lose_a_task(job: Job) -> None:
    """Take a task as a worker does that dies at once."""
    broker = App(job).broker
    async with aclosing(broker.listen()) as tasks:
        await anext(tasks)
    await broker.connection_pool.disconnect()


async def noted(app: App, *words: str) -> None:
    """Wait until tasks have said all this, and make sure that they said nothing else."""
    async with asyncio.timeout(60):  # a worker that failed to start says nothing at all
        while len(notes := await app.notes()) < len(words):  # noqa: ASYNC110 - other processes say it
            await asyncio.sleep(0.02)
    assert notes == list(words)
