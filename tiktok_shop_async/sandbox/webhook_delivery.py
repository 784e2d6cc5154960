"""Delivery of signed webhooks to subscribers, with retries until they are acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpx

from .._internal.clock import TimeSource, clock_of
from ..spec.examples import Examples
from ..spec.shapes import webhook_shape, webhook_types
from .domain.market import App, Market
from .domain.shop_events import Event
from .inputs.json_input import shortened
from .webhook_sender import Delivery, WebhookSender

RETRY_DELAYS = (2 * 60, 30 * 60, 3 * 3600, 12 * 3600)
"""Seconds between the attempts of a delivery."""

_OWNERS: Mapping[str, frozenset[int]] = {
    "seller_open_id": frozenset({19, 21, 22, 23, 24, 35, 52, 58}),
    "creator_open_id": frozenset({17, 20, 55, 59}),
}
"""Field of the envelope -> the webhooks that have it instead of ``shop_id``."""
_FIRST_NOTIFICATION_ID = 7_380_066_284_010_030_890


def sign(app_key: str, app_secret: str, body: bytes) -> str:
    """Return the signature of a delivery, which is the whole ``Authorization`` header."""
    return hmac.new(app_secret.encode(), app_key.encode() + body, hashlib.sha256).hexdigest()


class Webhooks:
    """Webhooks of a market: receives the events of its shops, and delivers them to subscribers.

    Deliveries are tasks of the running event loop, up to ``max_concurrent`` at once. Events that
    are emitted without a running loop wait for `drain`. Only a response with the status 200
    acknowledges a delivery (our choice; the platform's page names no other status).
    """

    def __init__(
        self,
        market: Market,
        *,
        default_url: str | None = None,
        time_scale: float = 1.0,
        clock: TimeSource = time.time,
        sleep: Callable[[float], Awaitable[object]] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        max_concurrent: int = 16,
        max_open: int = 10_000,
    ) -> None:
        self.default_url = default_url
        """Receives every event, including those without subscriptions."""
        self.deliveries: deque[Delivery] = deque(maxlen=1000)
        """The latest deliveries, oldest first."""
        self._market = market
        self._time_scale = time_scale
        self._clock = clock_of(clock, sleep)
        self.transport = transport
        """Transport of the deliveries, such as `httpx.ASGITransport` with your own application."""
        self._slots = asyncio.Semaphore(max_concurrent)
        self._max_open = max_open
        self._not_started: deque[Delivery] = deque()
        self._open: dict[asyncio.Task[None], Delivery] = {}
        self._watchers: list[asyncio.Future[None]] = []
        self._sender = WebhookSender(market.secrets)
        self._loop: asyncio.AbstractEventLoop | None = None
        # Random, so that ids differ from those of other sandboxes and of earlier runs.
        self._numbers = itertools.count(_FIRST_NOTIFICATION_ID + secrets.randbelow(10**18))
        self.connect()

    def connect(self) -> None:
        """Receive the events of the market and of its current shops."""
        self._market.on_event = self.deliver
        for shop in self._market.shops.values():
            shop.ledger.on_event = self.deliver

    def fire(
        self,
        event_type: int | str,
        data: Mapping[str, Any] | None = None,
        *,
        shop_id: str | None = None,
    ) -> list[Delivery]:
        """Deliver an event without a change.

        Args:
            event_type: Its number or name: 1, ``ORDER_STATUS_CHANGE``, ``order_status_change``.
            data: The data of the body; by default an example from the catalogue.
            shop_id: The shop's id or a user's open id; by default the first shop's id.
        """
        number = _number(event_type)
        if shop_id is None:
            shop_id = next((shop.id for shop in self._market.shops.values()), "")
        if data is None:
            data = Examples().make_object(webhook_shape(number)["data"])
        return self.deliver(Event(number, shop_id, data))

    def deliver(self, event: Event) -> list[Delivery]:
        """Deliver an event to all its subscribers."""
        if not (self.default_url or self._market.subscriptions):
            return []
        targets = set(self._targets(event))
        deliveries = [self._delivery(event, app, url) for app, url in sorted(targets, key=_by_url)]
        self.deliveries.extend(deliveries)
        for delivery in deliveries:
            if len(self._open) + len(self._not_started) < self._max_open:
                self._not_started.append(delivery)
            else:
                delivery.state = "dropped"
        if self._not_started:
            self._start()
        return deliveries

    def resend(self, notification_id: str) -> Delivery:
        """Attempt a delivery again now, with as many retries as a new one.

        Raises:
            LookupError: The delivery is not among the latest, or an attempt is in progress.
        """
        delivery = self._find(notification_id)
        if delivery.state == "sending":
            raise LookupError(f"an attempt of the delivery {notification_id} is in progress")
        for task, other in tuple(self._open.items()):
            if other is delivery and delivery.state == "waiting":
                del self._open[task]
                task.get_loop().call_soon_threadsafe(task.cancel)
        delivery.state, delivery.due = "sending", None
        self._not_started.append(delivery)
        self._start()
        return delivery

    async def drain(self, *, retries: bool = False) -> None:
        """Wait until no attempt is running or due; with ``retries``, until all deliveries end."""
        if self._has_other_loop():
            assert self._loop is not None
            draining = asyncio.run_coroutine_threadsafe(self.drain(retries=retries), self._loop)
            await asyncio.wrap_future(draining)
            return
        self._market.settle(self._clock.time())
        self._start()
        while any(retries or self._is_active(each) for each in self._open.values()):
            change = asyncio.get_running_loop().create_future()
            self._watchers.append(change)
            await change

    async def aclose(self) -> None:
        """Cancel all deliveries."""
        self._not_started.clear()
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._sender.aclose()

    def run_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run all deliveries in an event loop, also for events from other threads."""
        self._loop = loop

    def _find(self, notification_id: str) -> Delivery:
        for delivery in self.deliveries:
            if delivery.notification_id == notification_id:
                return delivery
        raise LookupError(f"the delivery {notification_id} is not among the latest")

    def _is_active(self, delivery: Delivery) -> bool:
        return delivery.state == "sending" or (
            delivery.due is not None and delivery.due <= self._clock.time()
        )

    def _targets(self, event: Event) -> Iterator[tuple[App, str]]:
        event_type = webhook_shape(event.type)["event_type"]
        wanted: list[tuple[str, str]] = []
        if event_type:
            wanted += self._market.subscriptions.to(event.shop_id, event_type)
        if self.default_url:
            wanted += [(app_key, self.default_url) for app_key in self._market.apps]
        for app_key, url in wanted:
            if event.app_key in (None, app_key):
                yield self._market.apps[app_key], url

    def _delivery(self, event: Event, app: App, url: str) -> Delivery:
        notification_id = str(next(self._numbers))
        envelope = {
            "type": event.type,
            "tts_notification_id": notification_id,
            _owner(event.type): event.shop_id,
            "timestamp": int(self._clock.time()),
            "data": event.data,
        }
        body = json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()
        return Delivery(notification_id, event, app.key, url, body, sign(app.key, app.secret, body))

    def _has_other_loop(self) -> bool:
        return self._loop is not None and self._loop is not _running_loop()

    def _start(self) -> None:
        if self._has_other_loop():
            assert self._loop is not None
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._start)
            return
        loop = _running_loop()
        if loop is None:
            return
        while self._not_started:
            delivery = self._not_started.popleft()
            task = loop.create_task(self._deliver(delivery))
            self._open[task] = delivery
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        delivery = self._open.pop(task, None)
        if delivery is not None and task.cancelled():  # possibly before it started
            delivery.state = "cancelled"
        self._wake_watchers()

    async def _deliver(self, delivery: Delivery) -> None:
        for delay in (*RETRY_DELAYS, None):
            async with self._slots:
                attempt = await self._sender.attempt(delivery, self._clock.time(), self.transport)
            delivery.attempts.append(attempt)
            if attempt.http_status == httpx.codes.OK:
                delivery.state = "delivered"
                break
            if delay is None:
                delivery.state = "given up"
                break
            seconds = delay * self._time_scale
            delivery.state, delivery.due = "waiting", self._clock.time() + seconds
            self._wake_watchers()
            await self._clock.sleep(seconds)
            delivery.state, delivery.due = "sending", None
        if len(self._open) == 1:
            await self._sender.aclose()  # after the last delivery, so that `aclose` is optional

    def _wake_watchers(self) -> None:
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)
        self._watchers.clear()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _number(event_type: int | str) -> int:
    for number in webhook_types():
        shape = webhook_shape(number)
        if event_type in (number, shape["name"], shape["event_type"]):
            return number
    raise ValueError(
        "type must be the number or name of an event, such as 1 or ORDER_STATUS_CHANGE, "
        f"not {shortened(event_type)}"
    )


def _owner(event_type: int) -> str:
    found = (field for field, types in _OWNERS.items() if event_type in types)
    return next(found, "shop_id")


def _by_url(target: tuple[App, str]) -> tuple[str, str]:
    app, url = target
    return url, app.key
