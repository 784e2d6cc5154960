"""A queue in Redis whose tasks are done, whatever becomes of the workers that had them."""

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

from ..._internal.waiting import cancel_and_wait, count_cancellations
from ...errors import InvalidArgumentError

logger = logging.getLogger("tiktok_shop_async.integrations.taskiq")

SOCKET_TIMEOUT = 10.0
LONGEST_READ = 2.0
"""Seconds that a read waits for a new task."""
PAUSE = 1.0
"""Seconds until Redis is asked again after it could not be reached."""
LONGEST_WAIT = 3600.0
"""Seconds after which a task is given out again at the latest, however often it failed."""
PAGE = 100
MAX_ACKNOWLEDGEMENTS = 3
"""How often Redis is asked to remove a task that is done."""

Delivery: TypeAlias = tuple[bytes, dict[bytes, bytes]]


class RedeliveringStreamBroker(RedisStreamBroker):
    """A Taskiq broker on a Redis stream, where a task stays until it is acknowledged.

    What a worker had that died, and what a task with ``ack_type="manual"`` did not acknowledge, is
    given to a worker again: after ``redeliver_after`` seconds, then after twice as many, and so on.
    As long as a worker lives, what it works on is its own, for however long.

    taskiq-redis itself looks for what was left behind only when a new task arrives, takes a task
    that runs for long for left behind, and keeps all tasks that were ever done.
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
        """Make a broker; nothing is connected before it is used.

        Args:
            url: Of Redis 6.2 or newer.
            queue_name: Key of the stream.
            redeliver_after: Seconds from a worker's last sign of life until a task that it had is
                given out again. All workers should have the same.
            max_deliveries: How often a task is given out at most; then it is laid aside, in the
                stream ``<queue_name>:dead``, as is an entry that is not a task.
            connection_options: For redis-py's connections.
        """
        if connection_options.get("decode_responses"):
            raise InvalidArgumentError(
                "decode_responses must not be set: a task is bytes.", argument="decode_responses"
            )
        if not redeliver_after > 0:
            raise InvalidArgumentError(
                "redeliver_after is not above 0.", argument="redeliver_after"
            )
        if max_deliveries < 1:
            raise InvalidArgumentError("max_deliveries is below 1.", argument="max_deliveries")
        super().__init__(
            url,
            queue_name=queue_name,
            consumer_group_name="workers",
            consumer_id="0",  # what was queued before the first worker came is for it, too
            **{
                "socket_timeout": SOCKET_TIMEOUT,
                "socket_connect_timeout": SOCKET_TIMEOUT,
                **connection_options,
            },
        )
        self.redeliver_after = redeliver_after
        self.max_deliveries = max_deliveries
        self._at_work: dict[bytes, str] = {}
        """Ids of what this process works on: in the stream, and those of Taskiq."""
        self._next_look = 0.0
        self._keeper: asyncio.Task[None] | None = None
        self.add_middlewares(_TellsOfTheEnd(self._ended))

    @property
    def dead_queue_name(self) -> str:
        """Key of the stream of entries that were laid aside."""
        return f"{self.queue_name}:dead"

    async def unfinished(self) -> int:
        """Return how many tasks are queued, being worked on, or waiting to be given out again."""
        async with self._redis() as redis:
            return int(await redis.xlen(self.queue_name))

    async def laid_aside(self) -> int:
        """Return the number of entries that were given out too often, or are not tasks."""
        async with self._redis() as redis:
            return int(await redis.xlen(self.dead_queue_name))

    async def startup(self) -> None:
        """Make the queue, and keep what this worker has until `shutdown`."""
        await super().startup()
        if self.is_worker_process:
            self._keeper = asyncio.create_task(self._keep())

    async def shutdown(self) -> None:
        """Close what the handlers of the shutdown leave to be closed."""
        try:
            await super().shutdown()
        finally:
            await cancel_and_wait(self._keeper)

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yield tasks: new ones, and now and then what was left behind."""
        is_group_lost = False
        async with self._redis() as redis:
            before = count_cancellations()
            while count_cancellations() == before:
                try:
                    if is_group_lost:
                        await self._declare_consumer_group()
                    delivery = await self._left_behind(redis) or await self._new(redis)
                    message = None if delivery is None else await self._message(redis, *delivery)
                except (RedisError, OSError) as error:
                    logger.warning("%s: no tasks can be read: %r", self.queue_name, error)
                    await asyncio.sleep(PAUSE)
                    is_group_lost = "NOGROUP" in str(error)
                    continue
                is_group_lost = False
                if message is not None:
                    yield message
                    before = count_cancellations()  # another task may have asked for the next one
        raise asyncio.CancelledError

    async def _declare_consumer_group(self) -> None:
        """Make the queue; a worker that cannot reach Redis starts all the same, and tries later."""
        try:
            await super()._declare_consumer_group()
        except (RedisError, OSError) as error:
            if not self.is_worker_process:
                raise
            logger.warning("%s: the queue cannot be made yet: %r", self.queue_name, error)

    def _redis(self) -> Any:
        return Redis(connection_pool=self.connection_pool)

    # What is given out ----------------------------------------------------------------------------

    async def _new(self, redis: Any) -> Delivery | None:
        """Return one task: a worker takes no more than it has room for."""
        wait = min(LONGEST_READ, self._next_look - time.monotonic())
        streams = await redis.xreadgroup(
            self.consumer_group_name,
            self.consumer_name,
            {self.queue_name: ">"},
            count=1,
            block=max(1, int(wait * 1000)),
        )
        if not streams:
            return None
        if isinstance(streams, dict):  # by version 3 of Redis' protocol
            streams = [(name, *pages) for name, pages in streams.items()]
        delivery: Delivery = streams[0][1][0]
        return delivery

    async def _left_behind(self, redis: Any) -> Delivery | None:
        """Return a task that nobody works on any more, if it is time to look for one."""
        now = time.monotonic()
        if now < self._next_look:
            return None
        async for pending in self._pending(redis):
            if pending["message_id"] in self._at_work:
                continue  # it is idle because the event loop of this process was held up
            deliveries = pending["times_delivered"]
            wait = self._wait_after(deliveries)
            if pending["time_since_delivered"] < wait:
                continue
            # Of all who look, one gets it: for the others it is not idle any more.
            claimed: list[Delivery] = await redis.xclaim(
                self.queue_name,
                self.consumer_group_name,
                self.consumer_name,
                min_idle_time=wait,
                message_ids=[pending["message_id"]],
            )
            if not claimed:
                continue
            if not claimed[0][1]:  # it was deleted; Redis before version 7 goes on listing it
                await redis.xack(self.queue_name, self.consumer_group_name, pending["message_id"])
                continue
            if deliveries < self.max_deliveries:
                logger.warning(
                    "%s: a task was left behind, delivery %d of it follows",
                    self.queue_name,
                    deliveries + 1,
                )
                return claimed[0]
            await self._lay_aside(redis, *claimed[0], f"was given out {deliveries} times")
        self._next_look = now + self.redeliver_after / 4
        return None

    async def _pending(self, redis: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the tasks that have been idle, from the oldest on."""
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
        """Return the milliseconds that a task is left alone after it was given out so often."""
        wait = self.redeliver_after * 2 ** (min(deliveries, 30) - 1)
        return int(min(wait, max(LONGEST_WAIT, self.redeliver_after)) * 1000)

    async def _lay_aside(
        self, redis: Any, entry_id: bytes, fields: dict[bytes, bytes], reason: str
    ) -> None:
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.xadd(self.dead_queue_name, fields)
            pipeline.xack(self.queue_name, self.consumer_group_name, entry_id)
            pipeline.xdel(self.queue_name, entry_id)
            await pipeline.execute()
        logger.error(
            "%s: entry %s %s, and is in %s now",
            self.queue_name,
            entry_id.decode(),
            reason,
            self.dead_queue_name,
        )

    # What is worked on ----------------------------------------------------------------------------

    async def _message(
        self, redis: Any, entry_id: bytes, fields: dict[bytes, bytes]
    ) -> AckableMessage | None:
        """Return the task of an entry; None if this worker cannot run it.

        Taskiq acknowledges what it cannot read and what it does not know, so that it is lost.
        """
        data = fields.get(b"data")
        if data is None:
            await self._lay_aside(redis, entry_id, fields, "has no data")
            return None
        try:
            task = self.formatter.loads(message=data)
            task.parse_labels()
        except Exception as error:  # a formatter has many errors, whose texts may have the data
            reason = f"cannot be read ({type(error).__name__})"
            await self._lay_aside(redis, entry_id, fields, reason)
            return None
        if self.find_task(task.task_name) is None:
            logger.warning(
                "%s: this worker has no task %r, another one may", self.queue_name, task.task_name
            )
            return None
        self._at_work[entry_id] = task.task_id
        return AckableMessage(data=data, ack=self._acknowledgement(entry_id))

    def _acknowledgement(self, entry_id: bytes) -> Callable[[], Awaitable[None]]:
        async def acknowledge() -> None:
            for attempt in range(1, MAX_ACKNOWLEDGEMENTS + 1):
                try:
                    await self._remove(entry_id)
                except (RedisError, OSError) as error:
                    # The task is done: an error here must not make it fail.
                    logger.warning("%s: a task may be given out again: %r", self.queue_name, error)
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
        self._at_work.pop(entry_id, None)

    def _ended(self, task_id: str) -> None:
        for entry_id in [each for each, task in self._at_work.items() if task == task_id]:
            del self._at_work[entry_id]

    async def _keep(self) -> None:
        """Tell Redis again and again that this process works on what it has."""
        while True:
            await asyncio.sleep(self.redeliver_after / 3)
            if not self._at_work:
                continue
            try:
                async with self._redis() as redis:
                    await redis.xclaim(
                        self.queue_name,
                        self.consumer_group_name,
                        self.consumer_name,
                        min_idle_time=0,
                        message_ids=list(self._at_work),
                        justid=True,  # without it, this would count as one more delivery
                    )
            except (RedisError, OSError) as error:
                logger.warning("%s: its tasks may be given out again: %r", self.queue_name, error)


class _TellsOfTheEnd(TaskiqMiddleware):
    """Tells that a task has ended, however it did."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        super().__init__()
        self._ended = ended

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """Tell so."""
        self._ended(message.task_id)
