"""A task stays in the queue until it is acknowledged, whatever becomes of its worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
from auth.databases import REDIS_URL, redis_prefix
from redis.asyncio import Redis
from workers.app import App, Job
from workers.crew import until
from workers.workers_here import lose_a_task, noted, worker_here

from tiktok_shop_async import InvalidArgumentError
from tiktok_shop_async.taskiq import RedeliveringStreamBroker


@pytest.fixture
async def job(tmp_path: Path) -> AsyncIterator[Job]:
    async with redis_prefix() as prefix, asyncio.timeout(20):
        yield Job(
            redis=REDIS_URL,
            queue=f"{prefix}tasks",
            journal=f"sqlite:///{tmp_path / 'journal.db'}",
            client={"app_key": "key", "app_secret": "secret"},
            redeliver_after=0.3,
        )


@pytest.fixture
async def app(job: Job) -> AsyncIterator[App]:
    app = App(job)
    await app.broker.startup()
    yield app
    await app.broker.shutdown()


async def empty(app: App) -> None:
    async def is_empty() -> bool:
        return await app.broker.unfinished() == 0

    await until(is_empty)


async def test_a_task_from_before_the_first_worker_is_done_and_leaves_nothing(job: Job) -> None:
    """The one who queues it does not even start its broker."""
    app = App(job)
    await app.take.kiq(0)
    assert await app.broker.unfinished() == 1
    async with worker_here(job):
        await noted(app, "opened", "began", "ended")
        await empty(app)
    await app.broker.shutdown()


async def test_what_a_dead_worker_had_is_given_out_again_though_no_new_task_comes(
    app: App, job: Job
) -> None:
    await app.take.kiq(0)
    await lose_a_task(job)
    async with worker_here(job):
        await noted(app, "opened", "began", "ended")
        await empty(app)


async def test_a_task_that_takes_long_is_not_given_to_another_worker(app: App, job: Job) -> None:
    """It takes several times as long as a dead worker's tasks are left alone."""
    await app.take.kiq(1.2)
    async with worker_here(job), worker_here(job):
        await noted(app, "opened", "opened", "began", "ended")
        await empty(app)


async def test_of_two_tasks_at_once_another_worker_has_room_for_one(app: App, job: Job) -> None:
    """A worker takes no more than it works on: nothing waits behind what takes long."""
    for seconds in (2, 2, 0):
        await app.take.kiq(seconds)
    async with worker_here(job):
        await noted(app, "opened", "began", "began")
        async with worker_here(job):
            await noted(app, "opened", "began", "began", "opened", "began", "ended")


async def test_a_task_that_is_given_out_too_often_is_laid_aside(app: App, job: Job) -> None:
    """After the first delivery and a second one, twice as late as the first."""
    job = attrs.evolve(job, max_deliveries=2)
    await app.take.kiq(0)
    await lose_a_task(job)
    await asyncio.sleep(job.redeliver_after)
    await lose_a_task(job)
    async with worker_here(job) as worker:
        await empty(app)
        assert await worker.broker.laid_aside() == 1
    assert await app.notes() == ["opened", "closed"]


async def test_a_worker_goes_on_when_redis_has_lost_everything(app: App, job: Job) -> None:
    async with worker_here(job):
        await noted(app, "opened")
        async with Redis.from_url(job.redis) as redis:
            await redis.delete(job.queue)
        await app.take.kiq(0)
        await noted(app, "opened", "began", "ended")


async def test_a_task_that_cannot_be_read_is_dropped(app: App, job: Job) -> None:
    async with Redis.from_url(job.redis) as redis:
        await redis.xadd(job.queue, {"data": b"no task"})
    async with worker_here(job):
        await empty(app)


@pytest.mark.parametrize("wrong", [{"redeliver_after": 0}, {"max_deliveries": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        RedeliveringStreamBroker(REDIS_URL, **wrong)
