"""``asyncio.gather`` of 20,000 calls with default settings."""

from __future__ import annotations

import asyncio
import time
import tracemalloc

import httpx

from tiktok_shop_async import AsyncTikTokShop

from . import server
from .contestants import CREDENTIALS, ORDER, InMemory, seconds_per_call
from .harness import Goal, Table, medians

COUNT = 20_000
GATHERED = "gather of 20,000"
BOUNDED = "100 in flight"
ROUNDS = 3
MOST_BYTES = 3 * 1024


async def measure() -> list[Table]:
    with server.running() as origin:
        async with AsyncTikTokShop(**CREDENTIALS, base_url=origin) as client:

            async def gathered() -> float:
                start = time.perf_counter()
                calls = [client.return_refund.cancel_order(**ORDER) for _ in range(COUNT)]
                await asyncio.gather(*calls)
                return 1e6 * (time.perf_counter() - start) / COUNT

            async def bounded() -> float:
                call = client.return_refund.cancel_order
                return 1e6 * await seconds_per_call(lambda: call(**ORDER), COUNT // 4, 100)

            await bounded()
            figures = await medians({BOUNDED: bounded, GATHERED: gathered}, ROUNDS)
    waiting = await bytes_per_waiting_call()
    verdict = "met" if waiting <= MOST_BYTES else "**missed**"
    note = f"a waiting call holds {waiting:,.0f} bytes (goal: at most {MOST_BYTES:,}): {verdict}"
    goals = [Goal(GATHERED, BOUNDED, 1 / 0.8)]
    return [Table("Twenty thousand at once", "µs per call", figures, goals, [note])]


class Gate(InMemory):
    """Answers when it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Wait, and answer."""
        await self.opened.wait()
        return await super().handle_async_request(request)


async def bytes_per_waiting_call() -> float:
    """Return what each call adds to memory, task and all, while it waits for its turn."""
    gate = Gate()
    async with AsyncTikTokShop(**CREDENTIALS, transport=gate) as client:
        first = [asyncio.create_task(_cancel(client)) for _ in range(200)]
        await asyncio.sleep(0.05)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        tasks = [asyncio.create_task(_cancel(client)) for _ in range(COUNT)]
        await asyncio.sleep(0)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        gate.opened.set()
        await asyncio.gather(*first, *tasks)
    return (after - before) / COUNT


async def _cancel(client: AsyncTikTokShop) -> None:
    await client.return_refund.cancel_order(**ORDER)
