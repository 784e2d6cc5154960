"""A receiver that is never closed, and whose event loop ends while handlers run."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from webhooks.serving import WEBHOOKS, delivery, signed

from tiktok_shop_async.webhooks import SQLWebhookStore, WebhookEvent, WebhookReceiver

EVENTS = 3


async def end_while_handlers_run(database: Path) -> None:
    """Leave the event loop while a handler runs for each event."""
    receiver = WebhookReceiver(WEBHOOKS, store=database)
    all_begun = asyncio.Barrier(EVENTS + 1)

    @receiver.on(WebhookEvent)
    async def hang(event: WebhookEvent) -> None:
        await all_begun.wait()
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        for number in range(EVENTS):
            await receiver.receive(*signed(delivery(number)))
        await all_begun.wait()


async def waiting_in(database: Path) -> int:
    async with SQLWebhookStore(database) as store:
        return (await store.counts()).waiting


def test_an_event_loop_that_ends_early_logs_no_error_and_loses_no_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "webhooks.db"
    asyncio.run(end_while_handlers_run(database))
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []
    assert asyncio.run(waiting_in(database)) == EVENTS
