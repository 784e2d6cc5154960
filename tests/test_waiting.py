"""Waits end even if a driver drops the cancellation, as redis-py does before Python 3.12."""

from __future__ import annotations

import asyncio

import pytest

from tiktok_shop_async._internal import waiting as _waiting


class Driver:
    """A connection whose calls drop the first cancellations."""

    def __init__(self, drops: int) -> None:
        self._drops = drops
        self.called = asyncio.Event()

    async def call(self) -> bool:
        self.called.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._drops -= 1
            if self._drops < 0:
                raise
        return False


async def test_polling_ends() -> None:
    driver = Driver(drops=1)
    polling = asyncio.create_task(_waiting.poll_until(driver.call))
    await driver.called.wait()
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(polling, 5)


async def test_a_query_raises_the_cancellation() -> None:
    driver = Driver(drops=1)

    async def query() -> None:
        await _waiting.await_cancellable(driver.call(), _waiting.count_cancellations())

    running = asyncio.create_task(query())
    await driver.called.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 5)


async def test_tasks_are_cancelled_until_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_waiting, "GRACE", 0.0)
    driver = Driver(drops=3)

    async def serve() -> None:
        while True:
            await driver.call()

    serving = asyncio.create_task(serve())
    await driver.called.wait()
    async with asyncio.timeout(5):
        await _waiting.cancel_and_wait(serving, None)
    assert serving.cancelled()
