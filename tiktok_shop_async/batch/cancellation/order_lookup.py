"""Looks many orders and their cancellations up in few calls: reads are rate-limited, too."""

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

MOST_AT_ONCE = 50
"""Orders that one call looks up."""

_LINGER = 0.005
"""Seconds in which others may join a call."""

_PARALLEL = 2
"""Calls of a kind under way; what is asked for meanwhile goes into the next one, together."""

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, V]]]


class OrderLookup(ClosedOnExit):
    """Orders and their cancellations, as they are after the moment of asking.

    Whoever asks at the same time shares a call. One asker that is cancelled leaves the others be.
    """

    def __init__(
        self,
        client: AsyncTikTokShop,
        *,
        options: RequestOptions | None = None,
        patience: RetryWindow | None = None,
    ) -> None:
        self._client = client
        self._options = options
        self._patience = patience
        self._orders: _Gatherer[Order] = _Gatherer(
            self._patiently(GET_ORDER_DETAIL, self._fetch_orders)
        )
        self._cancellations: _Gatherer[Sequence[Cancellation]] = _Gatherer(
            self._patiently(SEARCH_CANCELLATIONS, self._fetch_cancellations)
        )

    async def order(self, order_id: str) -> Order | None:
        """Return an order; None if the shop has no such order."""
        return await self._orders.get(order_id)

    async def cancellations(self, order_id: str) -> Sequence[Cancellation]:
        """Return all cancellations of an order, whoever made them."""
        return await self._cancellations.get(order_id) or ()

    async def both(self, order_id: str) -> tuple[Order | None, Sequence[Cancellation]]:
        """Return an order and its cancellations."""
        # Cancellations are asked for second, so that one which the order's status shows is there.
        order = await self.order(order_id)
        return order, await self.cancellations(order_id)

    async def aclose(self) -> None:
        """Stop the calls under way; nobody should be waiting for them any more."""
        await self._orders.aclose()
        await self._cancellations.aclose()

    def _patiently(self, operation: Operation, fetch: Fetch[V]) -> Fetch[V]:
        patience = self._patience
        if patience is None:
            return fetch
        return lambda order_ids: patience(operation, lambda: fetch(order_ids))

    async def _fetch_orders(self, order_ids: Sequence[str]) -> Mapping[str, Order]:
        response = await self._client.order.get_order_detail(ids=order_ids, options=self._options)
        return {order.id: order for order in response.data.orders if order.id}

    async def _fetch_cancellations(
        self, order_ids: Sequence[str]
    ) -> Mapping[str, Sequence[Cancellation]]:
        found: dict[str, list[Cancellation]] = defaultdict(list)
        async for cancellation in self._client.return_refund.search_cancellations(
            order_ids=order_ids, page_size=MOST_AT_ONCE, options=self._options
        ):
            if cancellation.order_id:
                found[cancellation.order_id].append(cancellation)
        return found


class _Gatherer(Generic[V]):
    """Puts the keys that are asked for within a moment, or while calls are under way, together."""

    def __init__(self, fetch: Fetch[V]) -> None:
        self._fetch = fetch
        self._asked: dict[str, list[asyncio.Future[V | None]]] = {}
        self._runners: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> V | None:
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(key, []).append(answer)
        if len(self._runners) < _PARALLEL:
            runner = asyncio.create_task(self._run())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        return await answer

    async def aclose(self) -> None:
        await cancel_and_wait(*self._runners)
        _refuse(self._asked, _closed())
        self._asked.clear()

    async def _run(self) -> None:
        try:
            await asyncio.sleep(_LINGER)
            while self._asked:
                keys = list(itertools.islice(self._asked, MOST_AT_ONCE))
                await self._answer({key: self._asked.pop(key) for key in keys})
        finally:
            # Here, not in a callback, which comes later: who asks meanwhile needs a new runner.
            self._runners.discard(asyncio.current_task())
            if not self._runners:  # it was cancelled: nobody else answers those who wait
                _refuse(self._asked, _closed())
                self._asked.clear()

    async def _answer(self, taken: Mapping[str, list[asyncio.Future[V | None]]]) -> None:
        keys = [key for key, askers in taken.items() if not all(each.done() for each in askers)]
        if not keys:
            return
        try:
            found = await self._fetch(keys)
        except asyncio.CancelledError:
            _refuse(taken, _closed())
            raise
        except Exception as error:
            if not _may_be_of_one(error) or len(keys) == 1:
                _refuse(taken, error)
                return
        else:
            for key, askers in taken.items():
                for asker in askers:
                    if not asker.done():
                        asker.set_result(found.get(key))
            return
        half = len(keys) // 2
        for part in (keys[:half], keys[half:]):
            await self._answer({key: taken[key] for key in part})


def _refuse(taken: Mapping[str, list[asyncio.Future[Any]]], error: Exception) -> None:
    """Raise an error to all who still wait: to each a copy, for a traceback is its own."""
    for asker in itertools.chain.from_iterable(taken.values()):
        if not asker.done():
            own = copy.copy(error)
            own.__cause__ = error
            asker.set_exception(own)


def _may_be_of_one(error: Exception) -> bool:
    """Whether an error may be due to one key alone, so that the others are better asked again."""
    return type(error) in (InvalidRequestError, TikTokAPIError)


def _closed() -> ClientClosedError:
    return ClientClosedError("the look-up of orders was closed.")
