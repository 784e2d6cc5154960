"""A clock that replaces all times of a receiver and its store."""

from __future__ import annotations

from typing import Any

from webhooks.serving import delivery

from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.webhooks import WebhookEvent, WebhookReceiver, Webhooks

HOUR = 3600.0


async def test_the_clock_of_webhooks_moves_the_pause_before_a_further_attempt() -> None:
    clock = MovableClock()
    webhooks = Webhooks("key", "secret", clock=clock)
    attempts: list[Any] = []

    async with WebhookReceiver(webhooks, pauses=(HOUR,)) as receiver:

        @receiver.on(WebhookEvent)
        async def handle(event: WebhookEvent) -> None:
            attempts.append(event.id)
            if len(attempts) == 1:
                clock.advance(HOUR / 2)
                raise RuntimeError("fails once")

        await receiver.receive(delivery(), webhooks.sign(delivery()))
        while not attempts:
            await clock.sleep(0.001)
        # The pause begins after the failure, and so ends an hour later.
        waiting = [each async for each in receiver.store.waiting()]
        assert len(waiting) == 1
        clock.advance(HOUR + 1)
        await receiver.join()
    assert attempts == ["1", "1"]
