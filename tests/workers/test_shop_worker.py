"""What tasks have of their worker, and what becomes of chunks that do not come to their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from helpers.auth.consent import code_of, oauth_of
from helpers.batch.shops import CANCEL, calls, order_ids, untruths
from helpers.workers.processes import BATCH, World, until, world
from helpers.workers.workers_here import lose_a_task, noted, worker_here
from taskiq import InMemoryBroker

from tiktok_shop_async import AsyncTikTokShop, InvalidArgumentError, TikTokShopError
from tiktok_shop_async.auth import Authorizations, MemoryTokenStore
from tiktok_shop_async.batch import OrderToCancel
from tiktok_shop_async.integrations.taskiq import ShopWorker, WorkerResources


@pytest.fixture
async def shop() -> AsyncIterator[World]:
    async with world(60, redeliver_after=0.4) as one:
        yield one


async def queue(shop: World, orders: Any, **options: Any) -> int:
    given = {"reason": "out_of_stock", "settle": 0.1, **options}
    return await shop.app.shop.cancel_orders(orders, batch=BATCH, **given)


async def check(shop: World, orders: int) -> None:
    outcomes = await shop.outcomes()
    assert len(outcomes) == orders
    assert untruths(shop.sandbox, outcomes) == []


async def test_a_task_of_ones_own_has_the_client_of_its_worker(shop: World) -> None:
    await shop.app.tell_statuses.kiq(order_ids(shop.sandbox)[:2])
    async with worker_here(shop.app.job):
        await noted(shop.app, "opened", "AWAITING_SHIPMENT AWAITING_SHIPMENT")
    assert (await shop.app.notes())[-1] == "closed"


async def test_the_same_chunk_many_times_at_once_cancels_each_order_once(shop: World) -> None:
    """A queue that delivers at least once is enough: the journal knows what was sent."""
    ids = order_ids(shop.sandbox)
    for _ in range(4):
        await queue(shop, ids)
    async with worker_here(shop.app.job), worker_here(shop.app.job):
        await shop.all_done()
    await check(shop, len(ids))
    assert calls(shop.sandbox)[CANCEL] == len(ids)


async def test_a_worker_that_died_after_its_work_and_before_its_word_does_no_harm(
    shop: World,
) -> None:
    ids = order_ids(shop.sandbox)[:5]
    await queue(shop, ids)
    async with worker_here(shop.app.job):
        await shop.all_done()
    await queue(shop, ids)
    await lose_a_task(shop.app.job)
    async with worker_here(shop.app.job):
        await shop.all_done()
    assert calls(shop.sandbox)[CANCEL] == len(ids)


async def test_a_chunk_that_failed_for_a_passing_reason_comes_again(shop: World) -> None:
    """What was final of it stays so; the rest is done as soon as the service is back."""
    ids = order_ids(shop.sandbox)[:8]
    fault = shop.sandbox.faults.add("throttled", operation=CANCEL, every=2)
    await queue(shop, ids, patience=0, concurrency=1)
    async with worker_here(shop.app.job):
        await until(lambda: _has_finals(shop, 1))
        shop.sandbox.faults.remove(fault)
        await shop.all_done()
    await check(shop, len(ids))


async def _has_finals(shop: World, count: int) -> bool:
    return await shop.finals() >= count


async def test_a_worker_that_has_to_end_before_its_work_leaves_the_rest_to_others(
    shop: World,
) -> None:
    """What is in flight is waited for, then all is closed; nothing of it is a failure."""
    ids = order_ids(shop.sandbox)
    await queue(shop, ids, concurrency=1)
    async with worker_here(shop.app.job, wait_tasks_timeout=0.01):
        await until(lambda: _has_finals(shop, 3))
    assert 3 <= await shop.finals() < len(ids)
    assert (await shop.journal.counts()).get("sending", 0) == 0
    assert await shop.app.broker.unfinished() == 1
    async with worker_here(shop.app.job):
        await shop.all_done()
    await check(shop, len(ids))
    assert calls(shop.sandbox)[CANCEL] == len(ids)


async def test_parts_of_orders_and_reasons_of_their_own_reach_the_workers(shop: World) -> None:
    order_id = order_ids(shop.sandbox, lines=2)[0]
    line = shop.sandbox.shop.orders[order_id].lines[0]

    async def orders() -> AsyncIterator[OrderToCancel]:
        yield OrderToCancel(order_id, "out_of_stock", [line.id])

    assert await queue(shop, orders(), reason=None) == 1
    async with worker_here(shop.app.job):
        await shop.all_done()
    (record,) = [each async for each in shop.journal.records()]
    assert (record.key, record.status) == (f"{order_id}:{line.id}", "confirmed")
    lines = shop.sandbox.shop.orders[order_id].lines
    times = shop.sandbox.shop.times_cancelled
    assert [times.get(each.id, 0) for each in lines] == [1] + [0] * (len(lines) - 1)


@pytest.mark.parametrize(
    ("orders", "options", "argument"),
    [
        ("1", {}, "orders"),
        (["1", ""], {}, "order_id"),
        (["1"], {"reason": None}, "reason"),
        (["1"], {"reason": "because"}, "reason"),
        ([{"order_id": "1", "reason": "because"}], {}, "reason"),
        (["1"], {"chunk": 0}, "chunk"),
        (["1"], {"concurrency": 0}, "concurrency"),
        (["1"], {"patience": "long"}, "patience"),
        (["1"], {"journal": "here.db"}, "journal"),
    ],
)
async def test_what_no_worker_could_do_is_refused_before_anything_is_queued(
    orders: Any, options: dict[str, Any], argument: str
) -> None:
    broker = InMemoryBroker()
    with pytest.raises(InvalidArgumentError) as refused:
        await ShopWorker(broker, _nothing).cancel_orders(
            orders, batch="b", **{"reason": "out_of_stock", **options}
        )
    assert refused.value.argument == argument


def _nothing() -> Any:
    raise AssertionError("this is no worker")


async def test_a_process_that_is_no_worker_has_no_client() -> None:
    with pytest.raises(TikTokShopError, match="no worker is running in this process"):
        ShopWorker(InMemoryBroker(), _nothing).client()


async def test_tasks_for_many_shops_find_the_authorization_of_each(shop: World) -> None:
    """One that nobody has authorized is an error that says so."""
    sandbox, app = shop.sandbox, shop.app
    async with (
        oauth_of(sandbox) as oauth,
        Authorizations(oauth, MemoryTokenStore()) as authorizations,
        AsyncTikTokShop(sandbox.app_key, sandbox.app_secret, base_url=sandbox.base_url) as client,
    ):
        token = await oauth.exchange(await code_of(sandbox, oauth))
        await authorizations.add(token)
        shop_id = sandbox.shop.id
        await authorizations.link_shop(shop_id, token.open_id)
        app.shop._resources = WorkerResources(
            client=client, journal=shop.journal, authorizations=authorizations
        )
        of_the_shop = await app.shop.client_of(shop_id)
        assert (await of_the_shop.order.get_order_list(page_size=1)).data.orders
        with pytest.raises(TikTokShopError, match="no authorization for the shop"):
            await app.shop.client_of("123")
        app.shop._resources = attrs.evolve(app.shop.resources, authorizations=None)
        assert await app.shop.client_of(None) is client
        assert (await app.shop.client_of(shop_id)).auth is not client.auth
        app.shop._resources = None
