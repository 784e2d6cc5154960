"""The first call of the operations with the largest answers: how long it holds the event loop."""

from __future__ import annotations

import json
import statistics
from typing import Any

from .documents import OPERATIONS, example_answer, example_arguments, size
from .harness import OURS, PEER, Table
from .imports import run

HEAVIEST = 5
ROUNDS = 3
MOST_MILLISECONDS = 50

LONGEST_HOLD = """
import asyncio, json, sys, time
import httpx

class Network(httpx.AsyncBaseTransport):
    # Answers after a turn of the event loop, as any network does.
    def __init__(self, answer):
        self.answer = answer

    async def handle_async_request(self, request):
        await asyncio.sleep(0)
        return httpx.Response(200, text=self.answer)

{setup}

async def main():
    longest, running = 0.0, True

    async def watch():
        nonlocal longest
        last = time.perf_counter()
        while running:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    longest = 0.0
    await call()
    running = False
    await watching
    return longest

print(asyncio.run(main()))
"""
OURS_SETUP = """
from tiktok_shop_async import AsyncTikTokShop
name, arguments, answer = json.loads(sys.argv[1])
transport = Network(answer)
client = AsyncTikTokShop("key", "secret", access_token="t", shop_cipher="c",
                         category_asset_cipher="a", transport=transport)
group, _, operation = name.partition(".")

async def call():
    async with client:
        await getattr(getattr(client, group), operation)(**arguments)
"""
PEER_SETUP = """
from tiktok_shop_api import AsyncTikTokShop
transport = Network('{"code": 0, "data": {}}')
client = AsyncTikTokShop("key", "secret", "t", "c", transport=transport)

async def call():
    await client.orders.get_order_list(page_size=1)
"""


async def measure() -> list[Table]:
    heaviest = sorted(OPERATIONS, key=lambda name: -size(OPERATIONS[name]["response"]))
    figures = {}
    for name in heaviest[:HEAVIEST]:
        operation = OPERATIONS[name]
        answer = json.dumps(example_answer(operation))
        given = json.dumps([name, example_arguments(operation), answer])
        figures[f"{OURS}: {name}"] = await longest_hold(OURS_SETUP, given)
    worst = max(figures.values())
    figures[f"{PEER}: orders.get_order_list"] = await longest_hold(PEER_SETUP)
    verdict = "met" if worst < MOST_MILLISECONDS else "**missed**"
    note = f"our slowest call: {worst:.0f} ms (goal: below {MOST_MILLISECONDS} ms): {verdict}"
    return [Table("First call", "ms that the event loop is held", figures, notes=[note])]


async def longest_hold(setup: str, *arguments: Any) -> float:
    """Return the median of the longest holds, in milliseconds, each in a fresh process."""
    code = LONGEST_HOLD.format(setup=setup)
    await run(code, *arguments)  # bytecode
    holds = [float(await run(code, *arguments)) for _ in range(ROUNDS)]
    return 1e3 * statistics.median(holds)
