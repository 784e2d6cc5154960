"""A sandbox over HTTP whose time runs ahead, so that no test waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from tiktok_shop_async.batch import CancelOutcome
from tiktok_shop_async.clock import MovableClock
from tiktok_shop_async.sandbox import Sandbox, Shop, run_sandbox

CANCEL = "return_refund.cancel_order"
DETAIL = "order.get_order_detail"
SEARCH = "return_refund.search_cancellations"
ELIGIBILITY = "return_refund.get_aftersale_eligibility"
PAID = "seller_cancel_reason_out_of_stock"
BUYERS = "ecom_order_to_ship_canceled_reason_no_longer_needed"


@asynccontextmanager
async def shop_in_a_hurry(orders: int = 300, **options: Any) -> AsyncIterator[Sandbox]:
    """A shop where a second passes in a fiftieth of one."""
    clock = MovableClock()

    async def hurry() -> None:
        while True:
            await asyncio.sleep(0.02)
            clock.advance(1.0)

    async with run_sandbox(orders=orders, clock=clock, **options) as sandbox:
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
