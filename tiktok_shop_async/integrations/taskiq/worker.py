"""The resources of a worker process, and its task, which cancels a chunk of orders."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import (
    AsyncIterable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs

try:
    from taskiq import AsyncBroker, Context, NoResultError, TaskiqDepends, TaskiqEvents
except ImportError as error:
    raise ImportError(
        "ShopWorker needs further packages: pip install 'tiktok-shop-async[taskiq]'",
        name=error.name,
    ) from error

from ..._internal.argument_checks import check_integer
from ...batch import cancel_orders
from ...batch.cancellation.cancel_orders import check_orders
from ...batch.cancellation.cancel_outcome import DUPLICATE, FINAL
from ...batch.cancellation.cancel_reasons import parse_reason
from ...batch.journal.sql import SQLJournal
from ...client import AsyncTikTokShop
from ...errors import TikTokShopError
from .queueing import as_json, check_options, chunks_of

if TYPE_CHECKING:
    from ...auth import Authorizations
    from ...batch.cancellation.cancel_orders import GivenOrder

_DONE = FINAL | {DUPLICATE}

logger = logging.getLogger("tiktok_shop_async.integrations.taskiq")

CHUNK = 100
CANCEL_ORDERS: Final = "tiktok_shop_async.cancel_orders"
"""The name of the task."""


@attrs.frozen(kw_only=True)
class WorkerResources:
    """The resources that the tasks of a worker process share."""

    client: AsyncTikTokShop
    journal: SQLJournal
    authorizations: Authorizations | None = None
    """The authorizations of the shops; None if the client itself is for the only shop."""


class ShopWorker:
    """The resources of a Taskiq worker, opened when it starts and closed when it ends.

    Its `client` is a dependency for your own tasks: ``TaskiqDepends(shop.client)``. It registers
    one task: `cancel_orders` queues orders in chunks, and workers cancel them. The journal stores
    the outcome of each order. A chunk is acknowledged when all its orders are final; otherwise it
    is delivered again, which is safe, since the journal stores what was sent.
    """

    def __init__(
        self,
        broker: AsyncBroker,
        resources: Callable[[], AbstractAsyncContextManager[WorkerResources]],
    ) -> None:
        """Register the task in a broker that workers and producers import.

        Args:
            broker: A broker that redelivers unacknowledged tasks, such as
                `RedeliveringStreamBroker`.
            resources: Returns a context manager, entered when a worker process starts and exited
                when it ends.
        """
        self._broker = broker
        self._open = resources
        self._stack = AsyncExitStack()
        self._resources: WorkerResources | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._is_ending = False
        broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, self._start)
        broker.add_event_handler(TaskiqEvents.WORKER_SHUTDOWN, self._end)

        @broker.task(CANCEL_ORDERS, ack_type="manual")
        async def cancel_chunk(
            orders: list[Any],
            batch: str,
            reason: str | None,
            shop_id: str | None,
            options: dict[str, Any],
            context: Context = TaskiqDepends(),
        ) -> dict[str, int]:
            with self._as_running():
                counts = await self._cancel_chunk(orders, batch, reason, shop_id, options)
                if context.is_ackable:
                    await context.ack()
                return counts

        self._task = cancel_chunk

    @property
    def resources(self) -> WorkerResources:
        """The resources that this process has open."""
        if self._resources is None:
            raise TikTokShopError(
                "no worker is running in this process.",
                hint="Only tasks in a worker can use the client.",
            )
        return self._resources

    def client(self) -> AsyncTikTokShop:
        """Return the client of this process; a dependency for tasks."""
        return self.resources.client

    async def client_of(self, shop_id: str | None) -> AsyncTikTokShop:
        """Return the client for one of several shops."""
        resources = self.resources
        if shop_id is None:
            return resources.client
        if resources.authorizations is None:
            return resources.client.for_shop(shop_id=shop_id)
        auth = await resources.authorizations.auth_of_shop(shop_id)
        if auth is None:
            raise TikTokShopError(
                f"no authorization for the shop {shop_id} is known.",
                hint="Link the shop to its seller: see Authorizations.link_shop.",
            )
        return resources.client.for_shop(auth=auth, shop_id=shop_id)

    # For producers --------------------------------------------------------------------------------

    async def cancel_orders(
        self,
        orders: Iterable[GivenOrder] | AsyncIterable[GivenOrder],
        *,
        batch: str,
        reason: str | None = None,
        shop_id: str | None = None,
        chunk: int = CHUNK,
        **options: Any,
    ) -> int:
        """Queue orders to cancel, and return the number of chunks.

        It is safe to queue a batch again: only orders that are not final are processed. The broker
        must have been started.

        Args:
            orders: The orders, as in `batch.cancel_orders`.
            batch: The name of the batch in the journal: an order that is final there is not sent
                again.
            reason: The reason for orders without their own, as in `batch.cancel_orders`.
            shop_id: The shop of the orders, if the workers serve several.
            chunk: The number of orders per task.
            options: Further numbers or booleans of `batch.cancel_orders`, such as ``concurrency``,
                ``preflight`` and ``patience``.
        """
        check_integer(chunk, "chunk", minimum=1)
        check_orders(orders)
        check_options(options)
        if reason is not None:
            reason = parse_reason(reason)
        given: Any = orders
        if isinstance(orders, Collection):  # validate all before anything is queued
            given = [as_json(each, reason) for each in orders]
        chunks = 0
        async for part in chunks_of(given, chunk):
            await self._task.kiq(
                orders=[as_json(each, reason) for each in part],
                batch=batch,
                reason=reason,
                shop_id=shop_id,
                options=options,
            )
            chunks += 1
        return chunks

    # In a worker ----------------------------------------------------------------------------------

    async def _start(self, _state: object) -> None:
        self._resources = await self._stack.enter_async_context(self._open())

    async def _end(self, _state: object) -> None:
        """Cancel the running chunks, then close the resources."""
        self._is_ending = True
        running = set(self._running)
        for task in running:
            task.cancel()  # `Batch` waits for the orders in flight
        if running:
            await asyncio.wait(running)
        self._resources = None
        await self._stack.aclose()

    @contextmanager
    def _as_running(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None, "Taskiq runs each task of a queue in an asyncio task"
        self._running.add(task)
        task.add_done_callback(self._running.discard)  # after its acknowledgement
        try:
            yield
        except asyncio.CancelledError:
            if not self._is_ending:
                raise
            logger.info("a chunk is left to another worker")
            raise NoResultError from None

    async def _cancel_chunk(
        self,
        orders: list[Any],
        batch: str,
        reason: str | None,
        shop_id: str | None,
        options: Mapping[str, Any],
    ) -> dict[str, int]:
        """Cancel a chunk of orders; raise `NoResultError` unless all of them are final."""
        counts: Counter[str] = Counter()
        try:
            client = await self.client_of(shop_id)
            journal = self.resources.journal.for_batch(batch)
            async with cancel_orders(
                client, orders, reason=reason, journal=journal, **options
            ) as outcomes:
                async for outcome in outcomes:
                    counts[outcome.status] += 1
        except TikTokShopError as error:
            logger.warning("batch %s: a chunk failed and will be delivered again: %s", batch, error)
            raise NoResultError from error
        if counts.keys() - _DONE:
            logger.warning(
                "batch %s: a chunk is not final and will be delivered again: %s", batch, counts
            )
            raise NoResultError
        return dict(counts)
