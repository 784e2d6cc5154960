"""What a worker process has open, and its task: to cancel a chunk of orders."""

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

from ...batch import OrderToCancel, cancel_orders
from ...batch.cancellation.cancel_outcome import DUPLICATE, FINAL
from ...batch.cancellation.cancel_reasons import checked_reason
from ...batch.journal.sql import SQLJournal
from ...client import AsyncTikTokShop
from ...errors import InvalidArgumentError, TikTokShopError
from .queueing import as_json, check_options, chunks_of

if TYPE_CHECKING:
    from ...auth import Authorizations
    from ...batch.cancellation.cancel_orders import GivenOrder

_DONE = FINAL | {DUPLICATE}

logger = logging.getLogger("tiktok_shop_async.integrations.taskiq")

CHUNK = 100
CANCEL_ORDERS: Final = "tiktok_shop_async.cancel_orders"
"""Name of the task."""


@attrs.frozen(kw_only=True)
class WorkerResources:
    """What the tasks of a worker process share."""

    client: AsyncTikTokShop
    journal: SQLJournal
    authorizations: Authorizations | None = None
    """Whose a shop is, where the client itself is not for the one shop that there is."""


class ShopWorker:
    """Opens what the tasks of a Taskiq worker need, and closes it when the worker ends.

    Its `client` is a dependency for tasks of your own: ``TaskiqDepends(shop.client)``. It has one
    task already: `cancel_orders` queues orders, and a worker cancels them chunk by chunk. What
    became of each is in the journal. A chunk is acknowledged when all its orders are final; else
    it is left to be given out again, which is harmless: the journal knows what was sent.
    """

    def __init__(
        self,
        broker: AsyncBroker,
        resources: Callable[[], AbstractAsyncContextManager[WorkerResources]],
    ) -> None:
        """Install it in a broker, where the workers and those who queue tasks import it from.

        Args:
            broker: One that gives out again what was not acknowledged: see
                `RedeliveringStreamBroker`.
            resources: Is entered when a worker process starts, and left when it ends.
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
        """What this process has open."""
        if self._resources is None:
            raise TikTokShopError(
                "no worker runs in this process.",
                hint="Only tasks have a client; whoever queues them needs none.",
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
                f"nobody has authorized this app for the shop {shop_id}.",
                hint="It is known after its seller's authorization; see Authorizations.link_shop.",
            )
        return resources.client.for_shop(auth=auth, shop_id=shop_id)

    # For those who queue --------------------------------------------------------------------------

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
        """Queue orders to be cancelled, and return how many chunks that made.

        To run it again for the same batch does no harm, and takes up what is not final. Needs a
        broker that was started.

        Args:
            orders: As `batch.cancel_orders` takes them.
            batch: Names the batch in the journal: an order that is final there is not sent again.
            reason: For all orders without their own, as there.
            shop_id: The orders' shop, where the workers serve several.
            chunk: Orders of a task.
            options: Further ones of `batch.cancel_orders` that are numbers or booleans, such as
                ``concurrency``, ``preflight``, ``patience``.
        """
        if chunk < 1:
            raise InvalidArgumentError("chunk is below 1.", argument="chunk")
        if isinstance(orders, str | OrderToCancel | Mapping):
            raise InvalidArgumentError(
                "orders is a single one.", argument="orders", hint="Give a list of orders."
            )
        check_options(options)
        if reason is not None:
            reason = checked_reason(reason)
        given: Any = orders
        if isinstance(orders, Collection):  # all of them, before anything is queued
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
        """Let go of what still runs, then close what it used."""
        self._is_ending = True
        running = set(self._running)
        for task in running:
            task.cancel()  # what is in flight is still waited for, see `Batch`
        if running:
            await asyncio.wait(running)
        self._resources = None
        await self._stack.aclose()

    @contextmanager
    def _as_running(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None, "Taskiq runs it in one"
        self._running.add(task)
        task.add_done_callback(self._running.discard)  # that is after its acknowledgement
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
        """Cancel a chunk of orders; `NoResultError` unless all are final then."""
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
            logger.warning("batch %s: a chunk failed, and comes again: %s", batch, error)
            raise NoResultError from error
        if counts.keys() - _DONE:
            logger.warning("batch %s: not all is final, a chunk comes again: %s", batch, counts)
            raise NoResultError
        return dict(counts)
