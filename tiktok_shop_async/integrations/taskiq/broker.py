"""A Taskiq broker on a Redis stream that delivers tasks again after a worker has died."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

try:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError
    from taskiq import AckableMessage, TaskiqMessage, TaskiqMiddleware, TaskiqResult
    from taskiq_redis import RedisStreamBroker
except ImportError as error:
    raise ImportError(
        "RedeliveringStreamBroker needs further packages: pip install 'tiktok-shop-async[taskiq]'",
        name=error.name,
    ) from error

from ..._internal.argument_checks import check_integer
from ..._internal.waiting import cancel_and_wait, count_cancellations
from ...errors import InvalidArgumentError

logger = logging.getLogger("tiktok_shop_async.integrations.taskiq")

SOCKET_TIMEOUT = 10.0
MAX_READ_WAIT = 2.0
"""Seconds that a read waits for a new task."""
PAUSE = 1.0
"""Seconds until Redis is tried again after an error."""
MAX_REDELIVERY_WAIT = 3600.0
"""The maximum number of seconds until a task is delivered again."""
PAGE = 100
MAX_ACKNOWLEDGEMENTS = 3
"""Attempts to remove a finished task from the stream."""

Delivery: TypeAlias = tuple[bytes, dict[bytes, bytes]]


class RedeliveringStreamBroker(RedisStreamBroker):
    """A Taskiq broker on a Redis stream, where a task stays until it is acknowledged.

    A task is delivered again if its worker has died, or if it has ``ack_type="manual"`` and was not
    acknowledged: after ``redeliver_after`` seconds, then after twice that time, and so on. A worker
    that is running keeps its tasks, however long they take.

    taskiq-redis itself looks for unacknowledged tasks only when a new task arrives, treats
    long-running tasks as abandoned, and never removes finished tasks.
    """

    def __init__(
        self,
        url: str,
        *,
        queue_name: str = "tiktok-shop",
        redeliver_after: float = 30.0,
        max_deliveries: int = 10,
        **connection_options: Any,
    ) -> None:
        """Create a broker; it connects when it is first used.

        Args:
            url: The URL of Redis 6.2 or newer.
            queue_name: The key of the stream.
            redeliver_after: Seconds after a worker's last heartbeat until its tasks are delivered
                again. Use the same value in all workers.
            max_deliveries: The maximum number of deliveries of a task. After that it is
                dead-lettered to the stream ``<queue_name>:dead``, like an entry without a task.
            connection_options: Options for the connections of redis-py.
        """
        if connection_options.get("decode_responses"):
            raise InvalidArgumentError(
                "decode_responses must not be set: tasks are bytes.", argument="decode_responses"
            )
        if not redeliver_after > 0:
            raise InvalidArgumentError(
                f"redeliver_after must be positive, not {redeliver_after!r}.",
                argument="redeliver_after",
            )
        check_integer(max_deliveries, "max_deliveries", minimum=1)
        super().__init__(
            url,
            queue_name=queue_name,
            consumer_group_name="workers",
            consumer_id="0",  # tasks that were queued before the first worker started are delivered
            **{
                "socket_timeout": SOCKET_TIMEOUT,
                "socket_connect_timeout": SOCKET_TIMEOUT,
                **connection_options,
            },
        )
        self.redeliver_after = redeliver_after
        self.max_deliveries = max_deliveries
        self._running: dict[bytes, str] = {}
        """The tasks that this process runs: their ids in the stream, and those of Taskiq."""
        self._next_check = 0.0
        self._heartbeat: asyncio.Task[None] | None = None
        self.add_middlewares(_EndHook(self._task_ended))

    @property
    def dead_queue_name(self) -> str:
        """The key of the stream of dead-lettered entries."""
        return f"{self.queue_name}:dead"

    async def unfinished(self) -> int:
        """Return the number of tasks that are queued, running or waiting to be delivered again."""
        async with self._redis() as redis:
            return int(await redis.xlen(self.queue_name))

    async def dead_letters(self) -> int:
        """Return the number of dead-lettered entries."""
        async with self._redis() as redis:
            return int(await redis.xlen(self.dead_queue_name))

    async def startup(self) -> None:
        """Create the queue, and renew the tasks of this worker until `shutdown`."""
        await super().startup()
        if self.is_worker_process:
            self._heartbeat = asyncio.create_task(self._renew())

    async def shutdown(self) -> None:
        """Run the shutdown handlers and stop the heartbeat."""
        try:
            await super().shutdown()
        finally:
            await cancel_and_wait(self._heartbeat)

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yield new tasks, and at intervals tasks to deliver again."""
        is_group_lost = False
        async with self._redis() as redis:
            before = count_cancellations()
            while count_cancellations() == before:
                try:
                    if is_group_lost:
                        await self._declare_consumer_group()
                    delivery = await self._read_abandoned(redis) or await self._read_new(redis)
                    message = None if delivery is None else await self._decode(redis, *delivery)
                except (RedisError, OSError) as error:
                    logger.warning("%s: reading tasks failed: %r", self.queue_name, error)
                    await asyncio.sleep(PAUSE)
                    is_group_lost = "NOGROUP" in str(error)
                    continue
                is_group_lost = False
                if message is not None:
                    yield message
                    before = count_cancellations()  # another asyncio task may request the next one
        raise asyncio.CancelledError

    async def _declare_consumer_group(self) -> None:
        """Create the queue; a worker that cannot reach Redis tries again later."""
        try:
            await super()._declare_consumer_group()
        except (RedisError, OSError) as error:
            if not self.is_worker_process:
                raise
            logger.warning("%s: the queue cannot be created yet: %r", self.queue_name, error)

    def _redis(self) -> Any:
        return Redis(connection_pool=self.connection_pool)

    # Deliveries -----------------------------------------------------------------------------------

    async def _read_new(self, redis: Any) -> Delivery | None:
        """Return one new task, since a worker reads a task only when it can run it."""
        wait = min(MAX_READ_WAIT, self._next_check - time.monotonic())
        streams = await redis.xreadgroup(
            self.consumer_group_name,
            self.consumer_name,
            {self.queue_name: ">"},
            count=1,
            block=max(1, int(wait * 1000)),
        )
        if not streams:
            return None
        if isinstance(streams, dict):  # in version 3 of the Redis protocol
            streams = [(name, *pages) for name, pages in streams.items()]
        delivery: Delivery = streams[0][1][0]
        return delivery

    async def _read_abandoned(self, redis: Any) -> Delivery | None:
        """Return a task whose worker has died or did not acknowledge it, if it is time to check."""
        now = time.monotonic()
        if now < self._next_check:
            return None
        async for pending in self._pending(redis):
            if pending["message_id"] in self._running:
                continue  # the event loop of this process was blocked, so it was not renewed
            deliveries = pending["times_delivered"]
            wait = self._wait_after(deliveries)
            if pending["time_since_delivered"] < wait:
                continue
            delivery = await self._claim(redis, pending["message_id"], wait)
            if delivery is None:
                continue
            if deliveries < self.max_deliveries:
                logger.warning(
                    "%s: a task was not acknowledged, delivery %d follows",
                    self.queue_name,
                    deliveries + 1,
                )
                return delivery
            await self._dead_letter(redis, *delivery, f"was delivered {deliveries} times")
        self._next_check = now + self.redeliver_after / 4
        return None

    async def _claim(self, redis: Any, entry_id: bytes, wait: int) -> Delivery | None:
        """Claim a task that is idle; None if another worker was faster or the entry is deleted."""
        # Only one worker claims it: for the others it is not idle any more.
        claimed: list[Delivery] = await redis.xclaim(
            self.queue_name,
            self.consumer_group_name,
            self.consumer_name,
            min_idle_time=wait,
            message_ids=[entry_id],
        )
        if not claimed:
            return None
        if not claimed[0][1]:  # deleted, but still listed by Redis before version 7
            await redis.xack(self.queue_name, self.consumer_group_name, entry_id)
            return None
        return claimed[0]

    async def _pending(self, redis: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the unacknowledged tasks that have been idle, starting with the oldest."""
        start = "-"
        while True:
            page = await redis.xpending_range(
                self.queue_name,
                self.consumer_group_name,
                min=start,
                max="+",
                count=PAGE,
                idle=self._wait_after(1),
            )
            for pending in page:
                yield pending
            if len(page) < PAGE:
                return
            start = f"({page[-1]['message_id'].decode()}"

    def _wait_after(self, deliveries: int) -> int:
        """Return the milliseconds until the next delivery after a number of deliveries."""
        wait = self.redeliver_after * 2 ** (min(deliveries, 30) - 1)
        return int(min(wait, max(MAX_REDELIVERY_WAIT, self.redeliver_after)) * 1000)

    async def _dead_letter(
        self, redis: Any, entry_id: bytes, fields: dict[bytes, bytes], reason: str
    ) -> None:
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.xadd(self.dead_queue_name, fields)
            pipeline.xack(self.queue_name, self.consumer_group_name, entry_id)
            pipeline.xdel(self.queue_name, entry_id)
            await pipeline.execute()
        logger.error(
            "%s: entry %s %s and was moved to %s",
            self.queue_name,
            entry_id.decode(),
            reason,
            self.dead_queue_name,
        )

    # Running tasks --------------------------------------------------------------------------------

    async def _decode(
        self, redis: Any, entry_id: bytes, fields: dict[bytes, bytes]
    ) -> AckableMessage | None:
        """Return the task of an entry; None if this worker cannot run it.

        Taskiq itself would acknowledge, and so lose, a task that it cannot decode or does not know.
        """
        data = fields.get(b"data")
        if data is None:
            await self._dead_letter(redis, entry_id, fields, "has no data")
            return None
        try:
            task = self.formatter.loads(message=data)
            task.parse_labels()
        except Exception as error:  # a formatter may raise anything, with the data in the text
            reason = f"cannot be decoded ({type(error).__name__})"
            await self._dead_letter(redis, entry_id, fields, reason)
            return None
        if self.find_task(task.task_name) is None:
            logger.warning(
                "%s: this worker has no task %r; another one may have it",
                self.queue_name,
                task.task_name,
            )
            return None
        self._running[entry_id] = task.task_id
        return AckableMessage(data=data, ack=self._acknowledgement(entry_id))

    def _acknowledgement(self, entry_id: bytes) -> Callable[[], Awaitable[None]]:
        async def acknowledge() -> None:
            for attempt in range(1, MAX_ACKNOWLEDGEMENTS + 1):
                try:
                    await self._remove(entry_id)
                except (RedisError, OSError) as error:
                    # The task has finished: an error here must not make it fail.
                    logger.warning("%s: a task may be delivered again: %r", self.queue_name, error)
                    if attempt < MAX_ACKNOWLEDGEMENTS:
                        await asyncio.sleep(PAUSE)
                else:
                    return

        return acknowledge

    async def _remove(self, entry_id: bytes) -> None:
        async with self._redis() as redis, redis.pipeline(transaction=True) as pipeline:
            pipeline.xack(self.queue_name, self.consumer_group_name, entry_id)
            pipeline.xdel(self.queue_name, entry_id)
            await pipeline.execute()
        self._running.pop(entry_id, None)

    def _task_ended(self, task_id: str) -> None:
        for entry_id in [each for each, task in self._running.items() if task == task_id]:
            del self._running[entry_id]

    async def _renew(self) -> None:
        """Mark the tasks of this process as not idle, at intervals."""
        while True:
            await asyncio.sleep(self.redeliver_after / 3)
            if not self._running:
                continue
            try:
                async with self._redis() as redis:
                    await redis.xclaim(
                        self.queue_name,
                        self.consumer_group_name,
                        self.consumer_name,
                        min_idle_time=0,
                        message_ids=list(self._running),
                        justid=True,  # otherwise this would count as a delivery
                    )
            except (RedisError, OSError) as error:
                logger.warning("%s: its tasks may be delivered again: %r", self.queue_name, error)


class _EndHook(TaskiqMiddleware):
    """A middleware that calls a function when a task has ended, with or without an error."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        super().__init__()
        self._ended = ended

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """Call the function."""
        self._ended(message.task_id)
