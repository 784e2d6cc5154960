"""The time of a polled cancellation, whose webhook has no time of the change."""

from __future__ import annotations

import asyncio
import json
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from helpers.webhooks.serving import WEBHOOKS, signed

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.sandbox import run_sandbox
from tiktok_shop_async.webhooks import (
    CancellationStatusChange,
    WebhookPoller,
    WebhookReceiver,
)

NOW = 1_718_305_585


class Service:
    """A shop with two cancellations, one on each page; it takes five seconds for a response."""

    def __init__(self, *, ahead: float = 0.0, has_date: bool = True) -> None:
        self.now = NOW
        self._ahead = ahead
        self._has_date = has_date

    def __call__(self, request: httpx.Request) -> httpx.Response:
        data: dict[str, Any] = {}
        if request.url.path.endswith("/cancellations/search"):
            number = request.url.params.get("page_token") or "1"
            found = {"cancel_id": number, "cancel_status": "CANCELLATION_REQUEST_PENDING"}
            data = {"cancellations": [found], "next_page_token": "2" if number == "1" else ""}
        self.now += 5
        headers = {"date": formatdate(self.now, usegmt=True)} if self._has_date else {}
        return httpx.Response(200, json={"code": 0, "data": data}, headers=headers)

    async def poll(self, receiver: WebhookReceiver) -> None:
        """Poll it by a clock that is ahead, and wait until what was found is handled."""
        transport = httpx.MockTransport(self)
        async with AsyncTikTokShop(
            "key", "secret", access_token="t", shop_cipher="c", transport=transport
        ) as client:
            options: Any = {"lookback": 60, "ordered": True, "skip_outdated": True}
            poller = WebhookPoller(
                client, receiver.store, shop_id="7", clock=lambda: self.now + self._ahead, **options
            )
            assert await poller.poll() == 2
        async with asyncio.timeout(20):
            await receiver.join()


def cancelled(number: int, timestamp: int) -> bytes:
    return json.dumps(
        {
            "type": 11,
            "tts_notification_id": f"{number} at {timestamp}",
            "shop_id": "7",
            "timestamp": timestamp,
            "data": {"cancel_id": str(number), "cancel_status": "CANCELLATION_REQUEST_SUCCESS"},
        }
    ).encode()


async def times_of(service: Service) -> list[int | None]:
    times: list[int | None] = []
    async with WebhookReceiver(WEBHOOKS) as receiver:

        @receiver.on(CancellationStatusChange)
        async def note(event: CancellationStatusChange) -> None:
            times.append(event.timestamp)

        await service.poll(receiver)
    return times


async def test_a_clock_that_is_ahead_makes_no_newer_webhook_outdated() -> None:
    """The service accepts calls of a clock that is up to 30 seconds ahead."""
    service = Service(ahead=29)
    handled: list[str | None] = []
    async with WebhookReceiver(WEBHOOKS, ordered=True, skip_outdated=True) as receiver:

        @receiver.on(CancellationStatusChange)
        async def write(event: CancellationStatusChange) -> None:
            handled.append(event.data.cancel_status)

        await service.poll(receiver)
        await receiver.receive(*signed(cancelled(2, service.now - 1)))
        async with asyncio.timeout(20):
            await receiver.join()
    assert handled[2:] == ["CANCELLATION_REQUEST_SUCCESS"]


@pytest.mark.parametrize("ahead", [-200, 0, 29])
async def test_a_polled_cancellation_has_the_time_when_its_page_was_requested(ahead: float) -> None:
    """By the service's clock, however wrong the local one is."""
    assert await times_of(Service(ahead=ahead)) == [NOW + 10, NOW + 15]


async def test_the_time_is_the_local_one_if_the_service_sends_no_date() -> None:
    assert await times_of(Service(ahead=3, has_date=False)) == [NOW + 13, NOW + 18]


async def test_the_sandbox_dates_its_responses_by_its_own_clock() -> None:
    clock = MovableClock(lambda: float(NOW))
    async with run_sandbox(orders=1, clock=clock) as sandbox, sandbox.client() as client:
        page = await client.order.get_order_list(page_size=1)
    assert page.headers.get_list("date") == [formatdate(NOW, usegmt=True)]
