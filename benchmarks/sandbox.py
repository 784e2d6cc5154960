"""A sandbox with 100,000 orders in a process of its own: cancellations, and a page of a search."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tiktok_shop_async import AsyncTikTokShop

from .harness import Table, medians

PYTHON = Path("build/bench/sandbox/bin/python")
ORDERS = 100_000
IN_FLIGHT = 100
BATCH = 2_000
ROUNDS = 3
LEAST_A_SECOND = 2_000
REASON = "seller_cancel_reason_out_of_stock"


async def measure() -> list[Table]:
    if not PYTHON.exists():
        print("The sandbox is left out: scripts/bench installs it into build/bench/sandbox.")
        return []
    with serving() as (server, seconds):
        async with AsyncTikTokShop(**server, max_in_flight=IN_FLIGHT) as client:
            waiting = await waiting_orders(client, BATCH * (ROUNDS + 1))
            batches = iter([waiting[at : at + BATCH] for at in range(0, len(waiting), BATCH)])

            async def cancelling() -> float:
                batch = next(batches)
                start = time.perf_counter()
                await asyncio.gather(
                    *(
                        client.return_refund.cancel_order(order_id=each, cancel_reason=REASON)
                        for each in batch
                    )
                )
                return 1e6 * (time.perf_counter() - start) / len(batch)

            async def searching() -> float:
                start = time.perf_counter()
                await client.order.get_order_list(page_size=50, order_status="ON_HOLD")
                return 1e6 * (time.perf_counter() - start)

            await cancelling()  # connections
            figures = await medians({"cancel_order": cancelling}, ROUNDS)
            figures |= await medians({"a page of get_order_list": searching}, ROUNDS)
    a_second = 1e6 / figures["cancel_order"]
    verdict = "met" if a_second >= LEAST_A_SECOND else "**missed**"
    notes = [
        f"{a_second:,.0f} cancellations a second (goal: {LEAST_A_SECOND:,}): {verdict}",
        f"{ORDERS:,} orders are there after {seconds:.1f} seconds",
        f"Server and client have a core each; {IN_FLIGHT} calls are in flight.",
    ]
    return [Table("The sandbox with 100,000 orders", "µs per call", figures, notes=notes)]


@contextmanager
def serving() -> Iterator[tuple[dict[str, str], float]]:
    """Run a sandbox; give what a client of it takes, and the seconds until it was there."""
    start = time.perf_counter()
    command = [str(PYTHON), "-m", "tiktok_shop_async.sandbox", "--orders", str(ORDERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        announced = dict(line.strip().split("=", 1) for line in _until_serving(lines))
        try:
            yield (
                {
                    name: announced[f"TIKTOK_{name.upper()}"]
                    for name in ("app_key", "app_secret", "access_token", "shop_cipher", "base_url")
                },
                time.perf_counter() - start,
            )
        finally:
            process.terminate()


def _until_serving(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if "=" not in line:
            return
        yield line


async def waiting_orders(client: AsyncTikTokShop, count: int) -> list[str]:
    """Return the ids of so many orders that can be cancelled."""
    ids: list[str] = []
    pager = client.order.get_order_list(page_size=100, order_status="AWAITING_SHIPMENT")
    async for page in pager.pages():
        ids += [order.id for order in page.data.orders if order.id]
        if len(ids) >= count:
            break
    return ids[:count]
