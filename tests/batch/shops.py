"""Sandboxes for batches: on a port or in this process, with time that may run ahead."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.batch import CancelOutcome
from tiktok_shop_async.sandbox import Sandbox, Shop, create_app, demo_market, run_sandbox
from tiktok_shop_async.sandbox.faults.rules import Faults

CANCEL = "return_refund.cancel_order"
DETAIL = "order.get_order_detail"
SEARCH = "return_refund.search_cancellations"
ELIGIBILITY = "return_refund.get_aftersale_eligibility"
PAID = "seller_cancel_reason_out_of_stock"
BUYERS = "ecom_order_to_ship_canceled_reason_no_longer_needed"


IN_PROCESS = False
"""Whether the sandboxes of a test are in its process; see the fixture ``transport``."""


@asynccontextmanager
async def a_shop(
    orders: int = 300,
    *,
    clock: Callable[[], float] | None = None,
    faults: Faults | None = None,
    latency: float | Callable[[], float] = 0.0,
    **options: Any,
) -> AsyncIterator[Sandbox]:
    """A sandbox on a port, or one in this process: its transport does no real I/O."""
    if not isinstance(clock, MovableClock):
        clock = MovableClock(clock or time.time)
    if not IN_PROCESS:
        async with run_sandbox(
            orders=orders, clock=clock, faults=faults, latency=latency, **options
        ) as sandbox:
            yield sandbox
        return
    market = demo_market(orders=orders, seed=1, clock=clock, **options)
    app = create_app(market=market, clock=clock, faults=faults, latency=latency)
    transport = httpx.ASGITransport(app)
    yield Sandbox.of(app, base_url="http://sandbox.local", clock=clock, transport=transport)


@asynccontextmanager
async def shop_in_a_hurry(orders: int = 300, **options: Any) -> AsyncIterator[Sandbox]:
    """A shop where a second passes in a fiftieth of one."""
    clock = MovableClock()

    async def hurry() -> None:
        while True:
            await asyncio.sleep(0.02)
            clock.advance(1.0)

    async with a_shop(orders, clock=clock, **options) as sandbox:
        hurrying = asyncio.create_task(hurry())
        try:
            yield sandbox
        finally:
            hurrying.cancel()


def order_ids(sandbox: Sandbox, status: str = "AWAITING_SHIPMENT", *, lines: int = 1) -> list[str]:
    """Return the orders of a status with so many line items or more, none of them cancelled."""
    return order_ids_of(sandbox.shop, status, lines=lines)


def order_ids_of(shop: Shop, status: str, *, lines: int = 1) -> list[str]:
    return [
        order.id
        for order in shop.orders.values()
        if order.status == status and len(order.lines) >= lines and not order.cancellations
    ]


def calls(sandbox: Sandbox) -> Counter[str]:
    """Return how often each operation was called."""
    return Counter(entry.operation for entry in sandbox.requests if entry.operation)


def untruths(sandbox: Sandbox, outcomes: Iterable[CancelOutcome]) -> list[str]:
    """Return where outcomes of whole orders differ from what the shop has done."""
    found = [
        f"line item {line} was cancelled {times} times"
        for line, times in sandbox.shop.times_cancelled.items()
        if times > 1
    ]
    for outcome in outcomes:
        order = sandbox.shop.orders[outcome.order_id]
        sellers = [each for each in order.cancellations if each.role == "SELLER"]
        match outcome.status:
            case "confirmed":
                is_true = order.status == "CANCELLED" and len(sellers) == 1
            case "pending":  # and it may be decided by now
                is_true = len(sellers) == 1
            case "already_cancelled":
                is_true = order.status == "CANCELLED" and not sellers
            case "refused":
                is_true = order.status != "CANCELLED" and not sellers
            case _:
                is_true = False
        if outcome.status in {"confirmed", "pending"} and is_true:
            is_true = outcome.cancel_id == sellers[0].id
        if not is_true:
            found.append(f"{outcome.order_id} is {order.status}: {outcome}")
    return found
