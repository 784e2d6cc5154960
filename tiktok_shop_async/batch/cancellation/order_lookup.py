"""Look-up of many orders and their cancellations in few calls, since reads are rate-limited."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..._internal.closing import ClosedOnExit
from ..._internal.waiting import cancel_and_wait
from ...errors import ClientClosedError, InvalidRequestError, TikTokAPIError
from ...pipeline.operation import Operation
from ...resources.order import GET_ORDER_DETAIL
from ...resources.return_refund import SEARCH_CANCELLATIONS
from ..retry_window import RetryWindow

if TYPE_CHECKING:
    from ...client import AsyncTikTokShop
    from ...models.order import Order
    from ...models.return_refund import Cancellation
    from ...options import RequestOptions

V = TypeVar("V")

MAX_PER_CALL = 50
"""Orders that one call looks up."""

_LINGER = 0.005
"""Seconds during which further requests join a call."""

_MAX_CALLS = 2
"""Concurrent calls of a kind; keys that are requested meanwhile share the next call."""

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, V]]]


class OrderLookup(ClosedOnExit):
    """Orders and their cancellations, in the state at or after the time of the request.

    Concurrent requests share a call. Cancelling one of them does not affect the others.
    """

    def __init__(
        self,
        client: AsyncTikTokShop,
        *,
        options: RequestOptions | None = None,
        retry_window: RetryWindow | None = None,
    ) -> None:
        self._client = client
        self._options = options
        self._retry_window = retry_window
        self._orders: _Batcher[Order] = _Batcher(
            self._with_retries(GET_ORDER_DETAIL, self._fetch_orders)
        )
        self._cancellations: _Batcher[Sequence[Cancellation]] = _Batcher(
            self._with_retries(SEARCH_CANCELLATIONS, self._fetch_cancellations)
        )

    async def order(self, order_id: str) -> Order | None:
        """Return an order; None if the shop has no order with this id."""
        return await self._orders.get(order_id)

    async def cancellations(self, order_id: str) -> Sequence[Cancellation]:
        """Return all cancellations of an order, whoever requested them."""
        return await self._cancellations.get(order_id) or ()

    async def both(self, order_id: str) -> tuple[Order | None, Sequence[Cancellation]]:
        """Return an order and its cancellations."""
        # Cancellations second, so that they include one that the order's status already shows.
        order = await self.order(order_id)
        return order, await self.cancellations(order_id)

    async def aclose(self) -> None:
        """Cancel the running calls; tasks that still wait for them get a `ClientClosedError`."""
        await self._orders.aclose()
        await self._cancellations.aclose()

    def _with_retries(self, operation: Operation, fetch: Fetch[V]) -> Fetch[V]:
        retry_window = self._retry_window
        if retry_window is None:
            return fetch
        return lambda order_ids: retry_window(operation, lambda: fetch(order_ids))

    async def _fetch_orders(self, order_ids: Sequence[str]) -> Mapping[str, Order]:
        response = await self._client.order.get_order_detail(ids=order_ids, options=self._options)
        return {order.id: order for order in response.data.orders if order.id}

    async def _fetch_cancellations(
        self, order_ids: Sequence[str]
    ) -> Mapping[str, Sequence[Cancellation]]:
        found: dict[str, list[Cancellation]] = defaultdict(list)
        async for cancellation in self._client.return_refund.search_cancellations(
            order_ids=order_ids, page_size=MAX_PER_CALL, options=self._options
        ):
            if cancellation.order_id:
                found[cancellation.order_id].append(cancellation)
        return found


class _Batcher(Generic[V]):
    """A collector of keys that are requested within a moment, or while calls run."""

    def __init__(self, fetch: Fetch[V]) -> None:
        self._fetch = fetch
        self._pending: dict[str, list[asyncio.Future[V | None]]] = {}
        self._runners: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> V | None:
        result: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._pending.setdefault(key, []).append(result)
        if len(self._runners) < _MAX_CALLS:
            runner = asyncio.create_task(self._run())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        return await result

    async def aclose(self) -> None:
        await cancel_and_wait(*self._runners)
        _fail(self._pending, _closed())
        self._pending.clear()

    async def _run(self) -> None:
        try:
            await asyncio.sleep(_LINGER)
            while self._pending:
                keys = list(itertools.islice(self._pending, MAX_PER_CALL))
                await self._resolve({key: self._pending.pop(key) for key in keys})
        finally:
            # Here, not in the later callback: a request in between needs a new runner.
            self._runners.discard(asyncio.current_task())
            if not self._runners:  # it was cancelled, and no other runner serves the rest
                _fail(self._pending, _closed())
                self._pending.clear()

    async def _resolve(self, requested: Mapping[str, list[asyncio.Future[V | None]]]) -> None:
        """Fetch keys and resolve their futures; if one key may be at fault, halve the keys."""
        keys = [
            key for key, futures in requested.items() if not all(each.done() for each in futures)
        ]
        if not keys:
            return
        try:
            found = await self._fetch(keys)
        except asyncio.CancelledError:
            _fail(requested, _closed())
            raise
        except Exception as error:
            if not _may_be_about_one_key(error) or len(keys) == 1:
                _fail(requested, error)
                return
        else:
            for key, futures in requested.items():
                for future in futures:
                    if not future.done():
                        future.set_result(found.get(key))
            return
        half = len(keys) // 2
        for part in (keys[:half], keys[half:]):
            await self._resolve({key: requested[key] for key in part})


def _fail(requested: Mapping[str, list[asyncio.Future[Any]]], error: Exception) -> None:
    """Raise an error in all tasks that still wait; each gets a copy with its own traceback."""
    for future in itertools.chain.from_iterable(requested.values()):
        if not future.done():
            own = copy.copy(error)
            own.__cause__ = error
            future.set_exception(own)


def _may_be_about_one_key(error: Exception) -> bool:
    """Return whether one key may have caused an error, so that the others can be fetched alone."""
    return type(error) in (InvalidRequestError, TikTokAPIError)


def _closed() -> ClientClosedError:
    return ClientClosedError("the OrderLookup was closed.")
