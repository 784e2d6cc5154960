"""A poller for changes that no webhook reported."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import attrs

from .._internal.clock import TimeSource, clock_of
from .._internal.closing import ClosedOnExit
from .._internal.http_dates import parse_http_date
from .._internal.waiting import cancel_and_wait
from ..errors import InvalidArgumentError
from ..options import RequestOptions
from .changes import CANCELLATION, ORDER, RETURN, change_of, polled, sent, webhook_status
from .objects import Ordering
from .parsing import parse_event
from .stores.base import NewEvent, WebhookStore

if TYPE_CHECKING:
    from ..client import AsyncTikTokShop
    from ..models.order import Order
    from ..models.return_refund import Cancellation, ReturnOrder
    from ..response import APIResponse

logger = logging.getLogger("tiktok_shop_async.webhooks")

MAX_WINDOW = 86_400
"""Seconds that are searched at once: a long outage is caught up in several windows."""
MAX_PASSES = 5
"""The maximum number of times that the pages of a window are read."""
JITTER = 0.1
"""The part of the pause by which it varies, so that processes do not poll at the same time."""
LOW_PRIORITY = RequestOptions(priority="low")

Values = Mapping[str, Any]


@attrs.frozen
class _Source:
    """A search by update time, and the event that each item becomes."""

    name: str
    pages: Callable[[AsyncTikTokShop, Values], AsyncIterator[APIResponse[Any]]]
    items: Callable[[Any], Iterable[Any]]
    event_type: int
    data: Callable[[Any], Values]


class WebhookPoller(ClosedOnExit):
    """A poller that adds missed changes of orders, returns and cancellations to a store.

    It adds the events that the webhooks would have been, without a notification id, and only for
    changes that no webhook reported. Enter it where the application starts
    (``async with poller:``); it polls until it is closed. The store keeps its position. One process
    for each shop is enough; more only cost requests.
    """

    def __init__(
        self,
        client: AsyncTikTokShop,
        store: WebhookStore,
        *,
        shop_id: str,
        every: float = 300.0,
        overlap: int = 120,
        lookback: int = 86_400,
        ordered: bool = False,
        skip_outdated: bool = False,
        clock: TimeSource = time.time,
        sleep: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        """Create the poller of one shop; it sends nothing until it is entered or `poll` is called.

        Args:
            client: The client of this shop, with its cipher and a token. Requests have low
                priority.
            store: The store of the receiver that handles the events.
            shop_id: The shop's id in webhooks.
            every: Seconds between two polls.
            overlap: Seconds that a poll searches again before its position, because a change may
                be found late.
            lookback: Seconds that the first poll goes back.
            ordered: The same as in the receiver.
            skip_outdated: The same as in the receiver.
            clock: A clock, or a function that returns Unix seconds.
            sleep: Waits between two polls, in place of the clock's own ``sleep``.
        """
        if every <= 0:
            raise InvalidArgumentError(f"every must be positive, not {every!r}.", argument="every")
        for argument, seconds in (("overlap", overlap), ("lookback", lookback)):
            if seconds < 0:
                raise InvalidArgumentError(
                    f"{argument} must not be negative, but is {seconds!r}.", argument=argument
                )
        self._client = client
        self._store = store
        self._shop_id = shop_id
        self._every = every
        self._overlap = overlap
        self._lookback = lookback
        self._ordering = Ordering(ordered=ordered, skip_outdated=skip_outdated)
        self._clock = clock_of(clock, sleep)
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<WebhookPoller of shop {self._shop_id} with {self._store!r}>"

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._poll_forever())
        return self

    async def aclose(self) -> None:
        """Stop polling; the next poll continues where the last one ended."""
        task, self._task = self._task, None
        await cancel_and_wait(task)

    async def poll(self) -> int:
        """Add all changes up to now to the store; return how many events are new.

        Raises:
            TikTokShopError: A call or the store failed; the next poll searches the same again.
        """
        return sum([await self._catch_up(source) for source in _SOURCES])

    async def _poll_forever(self) -> None:
        while True:
            try:
                if found := await self.poll():
                    logger.info("found %d changes that no webhook reported", found)
            except Exception as error:  # the next poll may succeed
                logger.warning("polling for changes failed: %s", error)
            await self._clock.sleep(self._every * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311

    async def _catch_up(self, source: _Source) -> int:
        cursor = f"{source.name}/{self._shop_id}"
        now = int(self._clock.time())
        reached = await self._store.cursor(cursor)
        if reached is None:
            reached = now - self._lookback
        found = 0
        while True:
            end = min(now + 1, reached + MAX_WINDOW)
            found += await self._search(source, reached - self._overlap, end)
            await self._store.move_cursor(cursor, end)
            if end > now:
                return found
            reached = end

    async def _search(self, source: _Source, start: int, end: int) -> int:
        """Add all changes of a window to the store; return how many events are new.

        An item that changes during the search leaves the window, and other items may move to a page
        that was read already. So if there are several pages, they are read until nothing is new.
        """
        seen: set[tuple[object, ...]] = set()
        found = 0
        for _ in range(MAX_PASSES):
            pages, before, requested_at = 0, len(seen), self._clock.time()
            filters = {
                "update_time_ge": start,
                "update_time_lt": end,
                "sort_field": "update_time",
                "sort_order": "ASC",
                "options": LOW_PRIORITY,
            }
            async for page in source.pages(self._client, filters):
                pages += 1
                data = [source.data(item) for item in source.items(page.data)]
                fresh = [each for each in data if tuple(each.values()) not in seen]
                seen.update(tuple(each.values()) for each in fresh)
                since = _requested_at(page, requested_at, self._clock.time())
                added = (self._add(source, each, since) for each in fresh)
                found += sum(await asyncio.gather(*added))
                requested_at = self._clock.time()
            if pages == 1 or len(seen) == before:
                break
        return found

    async def _add(self, source: _Source, data: Values, since: int) -> bool:
        envelope = {
            "type": source.event_type,
            "shop_id": self._shop_id,
            "timestamp": since,  # a webhook that is sent later may report a later state
            "data": data,
        }
        body = json.dumps(envelope, separators=(",", ":")).encode()
        event = parse_event(body, id=None, app_key=None)
        change = change_of(event)
        if change is None:
            logger.warning("skipped a change of %s: a required field is missing", source.name)
            return False
        return await self._store.add(
            NewEvent(
                id=polled(change),
                body=body,
                app_key=self._client.app_key,
                unless=frozenset({sent(change)}),
                **self._ordering.of(event),
            )
        )


def _requested_at(page: APIResponse[Any], requested_at: float, received_at: float) -> int:
    """Return when a page was requested, by the clock of the service, as in webhooks."""
    date = parse_http_date(page.headers.get("date", ""))
    return int(requested_at if date is None else date - (received_at - requested_at))


def _order(order: Order) -> Values:
    return {
        "order_id": order.id,
        "order_status": webhook_status(order.status),
        "is_on_hold_order": order.is_on_hold_order,
        "update_time": order.update_time,
    }


def _return(found: ReturnOrder) -> Values:
    return {
        "order_id": found.order_id,
        "return_role": found.role,
        "return_type": found.return_type,
        "return_status": found.return_status,
        "return_id": found.return_id,
        "create_time": found.create_time,
        "update_time": found.update_time,
    }


def _cancellation(found: Cancellation) -> Values:
    return {
        "order_id": found.order_id,
        "cancellations_role": found.role,
        "cancel_status": webhook_status(found.cancel_status),
        "cancel_id": found.cancel_id,
        "create_time": found.create_time,
    }


_SOURCES = (
    _Source(
        "orders",
        lambda client, filters: client.order.get_order_list(page_size=100, **filters).pages(),
        lambda page: page.orders,
        ORDER,
        _order,
    ),
    _Source(
        "returns",
        lambda client, filters: client.return_refund.search_returns(
            page_size=50, **filters
        ).pages(),
        lambda page: page.return_orders,
        RETURN,
        _return,
    ),
    _Source(
        "cancellations",
        lambda client, filters: client.return_refund.search_cancellations(
            page_size=50, **filters
        ).pages(),
        lambda page: page.cancellations,
        CANCELLATION,
        _cancellation,
    ),
)
