"""A task stays in the queue until it is acknowledged, whatever becomes of its worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import attrs
import pytest
from helpers.auth.databases import REDIS_URL, redis_prefix
from helpers.workers.app import App, Job
from helpers.workers.processes import until
from helpers.workers.workers_here import lose_a_task, noted, worker_here
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from taskiq_redis import RedisStreamBroker

from tiktok_shop_async import InvalidArgumentError
from tiktok_shop_async.integrations.taskiq import RedeliveringStreamBroker


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
        assert await worker.broker.dead_letters() == 1
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


@pytest.mark.parametrize(
    "fields",
    [
        {"message": b"no data"},
        {"data": b""},
        {"data": b"no task"},
        {"data": b'{"task_id": "1"}'},
        {"data": b"\xff\xfe", "more": b"fields"},
    ],
)
async def test_an_entry_that_is_no_task_is_laid_aside_and_the_worker_goes_on(
    app: App, job: Job, fields: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async with Redis.from_url(job.redis) as redis:
        await redis.xadd(job.queue, fields)  # type: ignore[arg-type]
        await app.take.kiq(0)
        async with worker_here(job) as worker:
            await noted(app, "opened", "began", "ended")
            await empty(app)
            assert await worker.broker.dead_letters() == 1
            ((_, kept),) = await redis.xrange(worker.broker.dead_queue_name)
    assert kept == {name.encode(): value for name, value in fields.items()}
    assert "no data" in caplog.text or "cannot be decoded" in caplog.text


async def test_an_entry_that_is_no_task_is_laid_aside_also_when_a_dead_worker_had_it(
    app: App, job: Job
) -> None:
    async with Redis.from_url(job.redis) as redis:
        await redis.xadd(job.queue, {"message": b"no data"})
        await redis.xreadgroup("workers", "a dead worker", {job.queue: ">"})
    async with worker_here(job) as worker:
        await empty(app)
        assert await worker.broker.dead_letters() == 1


async def test_a_task_with_fields_that_nobody_knows_is_done(app: App, job: Job) -> None:
    async with Redis.from_url(job.redis) as redis:
        await app.take.kiq(0)
        ((entry, fields),) = await redis.xrange(job.queue)
        await redis.xdel(job.queue, entry)
        await redis.xadd(job.queue, {**fields, b"from": b"a later release"})
        async with worker_here(job):
            await noted(app, "opened", "began", "ended")
            await empty(app)


async def test_a_task_that_a_worker_does_not_know_is_left_to_those_who_do(
    app: App, job: Job
) -> None:
    """As while a release is deployed: Taskiq would acknowledge it, and nobody would do it."""
    await app.take.kiq(0)
    del app.broker.local_task_registry["take"]
    async with aclosing(app.broker.listen()) as tasks:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(tasks), 0.2)
    assert await app.broker.unfinished() == 1
    async with worker_here(job):
        await noted(app, "opened", "began", "ended")
        await empty(app)


async def test_a_worker_whose_loop_was_held_up_does_not_take_its_own_task_again(
    app: App, job: Job
) -> None:
    """As by a long import: nothing has told Redis meanwhile that it is worked on."""
    await app.take.kiq(0)
    async with aclosing(app.broker.listen()) as tasks:
        await anext(tasks)
        await asyncio.sleep(2 * job.redeliver_after)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(tasks), 0.2)
    other = App(job).broker
    async with aclosing(other.listen()) as tasks:
        assert (await anext(tasks)).data, "another worker does"
    await other.connection_pool.disconnect()


async def test_an_entry_that_was_deleted_while_a_dead_worker_had_it_is_forgotten(
    app: App, job: Job
) -> None:
    await app.take.kiq(0)
    await lose_a_task(job)
    async with Redis.from_url(job.redis) as redis:
        ((entry, _),) = await redis.xrange(job.queue)
        await redis.xdel(job.queue, entry)
        await asyncio.sleep(job.redeliver_after)
        async with worker_here(job):

            async def none_is_pending() -> bool:
                return (await redis.xpending(job.queue, "workers"))["pending"] == 0

            await until(none_is_pending)
            await app.take.kiq(0)
            await noted(app, "opened", "began", "ended")


async def test_a_lost_connection_ends_no_worker(
    app: App, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not one that is lost again while the consumer group is made anew."""
    monkeypatch.setattr("tiktok_shop_async.integrations.taskiq.broker.PAUSE", 0.01)
    broker, failures = App(job).broker, 0

    async def fail() -> None:
        nonlocal failures
        failures += 1
        if failures < 3:
            raise RedisConnectionError
        await RedeliveringStreamBroker._declare_consumer_group(broker)

    monkeypatch.setattr(broker, "_declare_consumer_group", fail)
    async with Redis.from_url(job.redis) as redis:
        await redis.delete(job.queue)
    async with aclosing(broker.listen()) as tasks:
        waiting = asyncio.ensure_future(anext(tasks))
        await asyncio.sleep(0.1)
        await app.take.kiq(0)
        assert (await waiting).data
    assert failures == 3
    await broker.connection_pool.disconnect()


async def test_a_worker_starts_though_redis_does_not_respond_yet(
    app: App, job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a busy machine: a connection that times out while the queue is made ends no worker."""
    monkeypatch.setattr("tiktok_shop_async.integrations.taskiq.broker.PAUSE", 0.01)
    await app.take.kiq(0)
    declare, failures = RedisStreamBroker._declare_consumer_group, 0

    async def fail(broker: RedisStreamBroker) -> None:
        nonlocal failures
        failures += 1
        if failures < 3:
            raise RedisTimeoutError("Timeout connecting to server")
        await declare(broker)

    monkeypatch.setattr(RedisStreamBroker, "_declare_consumer_group", fail)
    async with Redis.from_url(job.redis) as redis:
        await redis.xgroup_destroy(job.queue, "workers")
    async with worker_here(job):
        await noted(app, "opened", "began", "ended")
        await empty(app)
    assert caplog.text.count("the queue cannot be created yet") == 2


async def test_a_program_that_queues_hears_that_redis_does_not_respond(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(broker: RedisStreamBroker) -> None:
        raise RedisTimeoutError("Timeout connecting to server")

    monkeypatch.setattr(RedisStreamBroker, "_declare_consumer_group", fail)
    with pytest.raises(RedisTimeoutError):
        await App(job).broker.startup()


async def test_an_acknowledgement_that_fails_is_repeated_and_fails_no_task(
    app: App, job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tiktok_shop_async.integrations.taskiq.broker.PAUSE", 0.0)
    remove, failures = RedeliveringStreamBroker._remove, 0

    async def fail(broker: RedeliveringStreamBroker, entry_id: bytes) -> None:
        nonlocal failures
        failures += 1
        if failures in (1, 3, 4, 5):
            raise RedisConnectionError
        await remove(broker, entry_id)

    monkeypatch.setattr(RedeliveringStreamBroker, "_remove", fail)
    await app.take.kiq(0)
    async with aclosing(app.broker.listen()) as tasks:
        first = await anext(tasks)
        await first.ack()  # type: ignore[misc]
        assert await app.broker.unfinished() == 0
        await app.take.kiq(0)
        second = await anext(tasks)
        await second.ack()  # type: ignore[misc]
        assert await app.broker.unfinished() == 1
    assert caplog.text.count("may be delivered again") == 4


@pytest.mark.parametrize("protocol", [2, 3])
async def test_every_version_of_the_protocol_will_do(job: Job, protocol: int) -> None:
    broker = RedeliveringStreamBroker(job.redis, queue_name=job.queue, protocol=protocol)

    @broker.task("nothing")
    async def nothing() -> None: ...

    await broker.startup()
    assert await nothing.kiq()
    async with aclosing(broker.listen()) as tasks:
        assert (await anext(tasks)).data
    await broker.shutdown()


@pytest.mark.parametrize(
    "wrong", [{"redeliver_after": 0}, {"max_deliveries": 0}, {"decode_responses": True}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        RedeliveringStreamBroker(REDIS_URL, **wrong)


async def test_before_redis_7_a_deleted_entry_is_claimed_as_an_empty_one_and_forgotten(
    job: Job,
) -> None:
    broker, acknowledged = App(job).broker, list[object]()

    class Redis6:
        async def xpending_range(self, *_: object, **__: object) -> list[dict[str, object]]:
            idle = {"times_delivered": 1, "time_since_delivered": 10**6}
            return [{"message_id": b"1-0", **idle}]

        async def xclaim(self, *_: object, **__: object) -> list[tuple[None, None]]:
            return [(None, None)]

        async def xack(self, _: str, group: str, entry: bytes) -> None:
            acknowledged.append((group, entry))

    assert await broker._read_abandoned(Redis6()) is None
    assert acknowledged == [("workers", b"1-0")]


async def test_a_worker_ends_although_its_driver_drops_a_cancellation(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis-py does where it arrives just as a command has been sent, before Python 3.12."""
    read = Redis.xreadgroup

    async def read_without_cancellation(*args: Any, **options: Any) -> Any:
        try:
            return await read(*args, **options)
        except asyncio.CancelledError:
            return []

    monkeypatch.setattr(Redis, "xreadgroup", read_without_cancellation)
    async with asyncio.timeout(10), worker_here(job) as app:
        await noted(app, "opened")
    assert (await app.notes())[-1] == "closed"
