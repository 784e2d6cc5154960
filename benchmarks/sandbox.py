"""A sandbox with 100,000 orders in a process of its own: cancellations, and pages of searches."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
from helpers.signatures import expected_signature

from tiktok_shop_async import AsyncTikTokShop

from .harness import Table, medians
from .raw_http import encoded, send_all

PYTHON = Path("build/bench/sandbox/bin/python")
ORDERS = 100_000
IN_FLIGHT = 100
CONNECTIONS = 16
BATCH = 2_000
ROUNDS = 3
LEAST_A_SECOND = 2_000
CANCELLATION = "a cancellation"
REASON = "seller_cancel_reason_out_of_stock"


async def measure() -> list[Table]:
    if not PYTHON.exists():
        print("The sandbox is left out: scripts/bench installs it into build/bench/sandbox.")
        return []
    with serving() as (server, seconds):
        async with AsyncTikTokShop(**server, max_in_flight=IN_FLIGHT) as client:
            waiting = await waiting_orders(client, 2 * BATCH * (ROUNDS + 1))
            batches = iter([waiting[at : at + BATCH] for at in range(0, len(waiting), BATCH)])

            async def signed_before() -> float:
                requests = [signed(server, order_id) for order_id in next(batches)]
                start = time.perf_counter()
                await send_all(requests, server["base_url"], connections=CONNECTIONS, check=check)
                return 1e6 * (time.perf_counter() - start) / len(requests)

            async def by_the_client() -> float:
                batch = next(batches)
                start = time.perf_counter()
                await asyncio.gather(
                    *(
                        client.return_refund.cancel_order(order_id=each, cancel_reason=REASON)
                        for each in batch
                    )
                )
                return 1e6 * (time.perf_counter() - start) / len(batch)

            async def searching(**filters: str) -> float:
                start = time.perf_counter()
                await client.order.get_order_list(page_size=50, **filters)  # type: ignore[arg-type]
                return 1e6 * (time.perf_counter() - start)

            cancellations = {
                CANCELLATION: signed_before,
                "cancel_order by tiktok_shop_async": by_the_client,
            }
            for warm_up in cancellations.values():
                await warm_up()
            figures = await medians(cancellations, ROUNDS)
            pages = {
                "a page of all orders": searching,
                "a page of a status": partial(searching, order_status="AWAITING_SHIPMENT"),
                "a page by update_time": partial(searching, sort_field="update_time"),
            }
            figures |= await medians(pages)
    a_second = 1e6 / figures[CANCELLATION]
    verdict = "met" if a_second >= LEAST_A_SECOND else "**missed**"
    notes = [
        f"{a_second:,.0f} cancellations a second (goal: {LEAST_A_SECOND:,}): {verdict}",
        f"{ORDERS:,} orders are created in {seconds:.1f} seconds",
        f"Server and client have one core each; the client has {IN_FLIGHT} calls in flight.",
        (
            "The first row's requests are signed beforehand and sent over "
            f"{CONNECTIONS} connections: it is the server's part of a call."
        ),
    ]
    return [Table("The sandbox with 100,000 orders", "µs per call", figures, notes=notes)]


def signed(server: dict[str, str], order_id: str) -> bytes:
    """Return a request of cancel_order as it goes over the wire."""
    query = {
        "app_key": server["app_key"],
        "shop_cipher": server["shop_cipher"],
        "timestamp": str(int(time.time())),
    }
    request = httpx.Request(
        "POST",
        f"{server['base_url']}/return_refund/202309/cancellations",
        params=query,
        json={"order_id": order_id, "cancel_reason": REASON},
        headers={"x-tts-access-token": server["access_token"]},
    )
    sign = expected_signature(request, server["app_secret"])
    request.url = request.url.copy_add_param("sign", sign)
    return encoded(request)


def check(answer: bytes) -> None:
    """Fail unless the call did."""
    envelope = json.loads(answer.partition(b"\r\n")[2])
    assert envelope["code"] == 0, envelope


@contextmanager
def serving() -> Iterator[tuple[dict[str, str], float]]:
    """Run a sandbox; give what a client of it takes, and the seconds until it was there."""
    start = time.perf_counter()
    command = [str(PYTHON), "-m", "tiktok_shop_async.sandbox", "--orders", str(ORDERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        announced = dict(line.split("=", 1) for line in _until_serving(lines))
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
        yield line.strip().removeprefix("export ")


async def waiting_orders(client: AsyncTikTokShop, count: int) -> list[str]:
    """Return the ids of so many orders that can be cancelled."""
    ids: list[str] = []
    pager = client.order.get_order_list(page_size=100, order_status="AWAITING_SHIPMENT")
    async for page in pager.pages():
        ids += [order.id for order in page.data.orders if order.id]
        if len(ids) >= count:
            break
    return ids[:count]
