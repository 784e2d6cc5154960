"""Looks for what webhooks have missed."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import attrs

from .._internal.closing import ClosedOnExit
from .._internal.http_dates import parse_http_date
from .._internal.waiting import cancel_and_wait
from ..errors import InvalidArgumentError
from ..options import RequestOptions
from .changes import CANCELLATION, ORDER, RETURN, as_webhooks_spell, change_of, polled, sent
from .objects import Ordering
from .parsing import parse_event
from .stores.base import NewEvent, WebhookStore

if TYPE_CHECKING:
    from ..client import AsyncTikTokShop
    from ..models.order import Order
    from ..models.return_refund import Cancellation, ReturnOrder
    from ..response import APIResponse

logger = logging.getLogger("tiktok_shop_async.webhooks")

LONGEST_WINDOW = 86_400
"""Seconds that are looked through at once: a long outage is made up for in pieces."""
MOST_WALKS = 5
JITTER = 0.1
"""Part of the pause by which it varies, so that many processes do not look at once."""
IN_THE_BACKGROUND = RequestOptions(priority="low")

Facts = Mapping[str, Any]


@attrs.frozen
class _Source:
    """A search by update time, and what its items are as events."""

    name: str
    pages: Callable[[AsyncTikTokShop, Facts], AsyncIterator[APIResponse[Any]]]
    items: Callable[[Any], Iterable[Any]]
    number: int
    data: Callable[[Any], Facts]


class WebhookPoller(ClosedOnExit):
    """Brings changes of orders, returns and cancellations to a receiver's store.

    They come as the events that their webhooks would have been, without a notification id, and
    only those of which no webhook has told. Enter it where the application starts: it looks for
    changes all the time. How far it has come is kept in the store. Several processes may do so for
    one shop, which costs requests and does no harm; one is enough.
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
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Make the poller of one shop; nothing is sent before it is entered or `poll` is called.

        Args:
            client: For this shop, with its cipher and a token. Its limiter lets all others go
                first.
            store: That of the receiver whose handlers are meant.
            shop_id: As webhooks name the shop.
            every: Seconds between two looks.
            overlap: Seconds that each look goes behind the last one, as a change may be found late.
            lookback: Seconds that the very first look goes back.
            ordered: As the receiver has it.
            skip_outdated: As the receiver has it.
            clock: Returns Unix seconds.
            sleep: Waits between two looks.
        """
        if every <= 0 or overlap < 0 or lookback < 0:
            raise InvalidArgumentError("a time is below 0.", argument="every")
        self._client = client
        self._store = store
        self._shop_id = shop_id
        self._every = every
        self._overlap = overlap
        self._lookback = lookback
        self._ordering = Ordering(ordered=ordered, skip_outdated=skip_outdated)
        self._clock = clock
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<WebhookPoller of shop {self._shop_id} with {self._store!r}>"

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._poll_for_ever())
        return self

    async def aclose(self) -> None:
        """Stop looking; what was not looked through comes the next time."""
        task, self._task = self._task, None
        await cancel_and_wait(task)

    async def poll(self) -> int:
        """Look once, up to the present, and return how many events are new.

        Raises:
            TikTokShopError: Of a call or of the store. Nothing is lost by that.
        """
        return sum([await self._catch_up(source) for source in _SOURCES])

    async def _poll_for_ever(self) -> None:
        while True:
            try:
                if found := await self.poll():
                    logger.info("%d changes of which no webhook has told", found)
            except Exception as error:  # it may go better the next time
                logger.warning("changes could not be looked for: %s", error)
            await self._sleep(self._every * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311

    async def _catch_up(self, source: _Source) -> int:
        cursor = f"{source.name}/{self._shop_id}"
        now = int(self._clock())
        reached = await self._store.cursor(cursor)
        if reached is None:
            reached = now - self._lookback
        found = 0
        while True:
            end = min(now + 1, reached + LONGEST_WINDOW)
            found += await self._look_through(source, reached - self._overlap, end)
            await self._store.move_cursor(cursor, end)
            if end > now:
                return found
            reached = end

    async def _look_through(self, source: _Source, start: int, end: int) -> int:
        """Bring all changes of a time to the store.

        What changes meanwhile leaves the window, and may let others slip from a page to the one
        before, which was read already: so where there are pages, they are walked until nothing new
        is seen.
        """
        seen: set[tuple[object, ...]] = set()
        found = 0
        for _ in range(MOST_WALKS):
            pages, before, asked_at = 0, len(seen), self._clock()
            filters = {
                "update_time_ge": start,
                "update_time_lt": end,
                "sort_field": "update_time",
                "sort_order": "ASC",
                "options": IN_THE_BACKGROUND,
            }
            async for page in source.pages(self._client, filters):
                pages += 1
                data = [source.data(item) for item in source.items(page.data)]
                fresh = [each for each in data if tuple(each.values()) not in seen]
                seen.update(tuple(each.values()) for each in fresh)
                since = _requested_at(page, asked_at, self._clock())
                brought = (self._bring(source, each, since) for each in fresh)
                found += sum(await asyncio.gather(*brought))
                asked_at = self._clock()
            if pages == 1 or len(seen) == before:
                break
        return found

    async def _bring(self, source: _Source, data: Facts, since: int) -> bool:
        envelope = {
            "type": source.number,
            "shop_id": self._shop_id,
            "timestamp": since,  # what is sent later may report a later state
            "data": data,
        }
        body = json.dumps(envelope, separators=(",", ":")).encode()
        event = parse_event(body, id=None, app_key=None)
        change = change_of(event)
        if change is None:
            logger.warning("a change of %s cannot be told: a fact of it is missing", source.name)
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


def _requested_at(page: APIResponse[Any], asked_at: float, received_at: float) -> int:
    """Return when a page was requested, by the clock of the service, which dates webhooks too."""
    date = parse_http_date(page.headers.get("date", ""))
    return int(asked_at if date is None else date - (received_at - asked_at))


def _order(order: Order) -> Facts:
    return {
        "order_id": order.id,
        "order_status": as_webhooks_spell(order.status),
        "is_on_hold_order": order.is_on_hold_order,
        "update_time": order.update_time,
    }


def _return(found: ReturnOrder) -> Facts:
    return {
        "order_id": found.order_id,
        "return_role": found.role,
        "return_type": found.return_type,
        "return_status": found.return_status,
        "return_id": found.return_id,
        "create_time": found.create_time,
        "update_time": found.update_time,
    }


def _cancellation(found: Cancellation) -> Facts:
    return {
        "order_id": found.order_id,
        "cancellations_role": found.role,
        "cancel_status": as_webhooks_spell(found.cancel_status),
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
