"""Cancellations by workers that are killed: every order ends once, in its true final state."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest
from helpers.batch.shops import untruths
from helpers.workers.processes import BATCH, World, add_faults, kill, until, world

from tiktok_shop_async.batch import CancelOutcome


async def cancel_all(
    world: World, *, workers: int, killed: int, chunk: int, **options: Any
) -> None:
    """Have workers cancel all orders, and kill some of them while they are at it."""
    add_faults(world.sandbox)
    orders = list(world.sandbox.shop.orders)
    chunks = await world.app.shop.cancel_orders(
        orders, batch=BATCH, reason="out_of_stock", chunk=chunk, **options
    )
    assert chunks == -(-len(orders) // chunk)
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(world.worker()) for _ in range(workers)]
        for number, victim in enumerate(running[:killed], start=1):
            share = number * len(orders) // (killed + 2)
            await until(lambda share=share: _has(world, share))
            kill(victim)
        await world.all_done()
    check(world, await world.outcomes())


async def _has(world: World, share: int) -> bool:
    return await world.finals() >= share


def check(world: World, outcomes: list[CancelOutcome]) -> None:
    assert len(outcomes) == len(world.sandbox.shop.orders)
    assert untruths(world.sandbox, outcomes) == []
    counts = Counter(each.status for each in outcomes)
    assert counts.keys() == {"confirmed", "pending", "already_cancelled", "refused"}
    assert all(fault.struck for fault in world.sandbox.faults)


async def test_what_a_killed_worker_had_is_done_by_others() -> None:
    async with world(500) as one:
        await cancel_all(one, workers=2, killed=1, chunk=25, settle=0.3, concurrency=25)
        assert await one.app.broker.dead_letters() == 0


@pytest.mark.scale
async def test_twenty_thousand_orders_by_four_workers_of_which_two_are_killed() -> None:
    async with world(20_000, redeliver_after=3.0, lease=3.0) as one:
        await cancel_all(one, workers=4, killed=2, chunk=250, settle=1.0)
