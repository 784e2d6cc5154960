"""Many orders looked up in few calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from helpers.batch.shops import DETAIL, PAID, SEARCH, a_shop, calls, order_ids
from helpers.client import envelope, new_client

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async.batch import OrderLookup
from tiktok_shop_async.errors import (
    ClientClosedError,
    InvalidRequestError,
    PermissionDeniedError,
    TikTokShopError,
)

pytestmark = pytest.mark.usefixtures("transport")


class Shop:
    """A shop that has every order, and notes which were asked for together."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.refused: dict[str, int] = {}
        """Id -> the code that a call with it is refused with."""
        self.arrived = asyncio.Semaphore(0)
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        ids = request.url.params["ids"].split(",")
        self.asked.append(ids)
        self.arrived.release()
        await self.open.wait()
        for each in ids:
            if each in self.refused:
                return httpx.Response(200, json=envelope(code=self.refused[each], message="no"))
        orders = [{"id": each, "status": f"asked {len(self.asked)}"} for each in ids]
        return httpx.Response(200, json=envelope({"orders": orders}))


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[AsyncTikTokShop]:
    async with new_client(httpx.MockTransport(shop)) as client:
        yield client


async def test_what_is_asked_together_is_looked_up_together() -> None:
    """50 orders a call; each asker gets its own order and cancellations."""
    async with a_shop(orders=300, pending_share=0.0) as sandbox, sandbox.client() as client:
        ids = order_ids(sandbox)[:120]
        for order_id in ids[:60]:
            sandbox.shop.cancel(order_id, PAID)
        async with OrderLookup(client) as lookup:
            found = await asyncio.gather(*(lookup.both(order_id) for order_id in ids))
            nothing = await lookup.both("1")
        for order_id, (order, cancellations) in zip(ids, found, strict=True):
            assert order is not None
            assert order.id == order_id
            expected = sandbox.shop.orders[order_id].cancellations
            assert [each.cancel_id for each in cancellations] == [each.id for each in expected]
        assert nothing == (None, ())
        assert calls(sandbox)[DETAIL] == 3 + 1
        assert calls(sandbox)[SEARCH] <= 4 + 1


async def test_an_answer_is_never_older_than_the_question(
    shop: Shop, client: AsyncTikTokShop
) -> None:
    """Who asks while a call is under way waits for the next one, with all others who do."""
    shop.open.clear()
    async with OrderLookup(client) as lookup:
        early = asyncio.create_task(lookup.order("1"))
        await shop.arrived.acquire()
        late = [asyncio.create_task(lookup.order(name)) for name in ("1", "2", "3")]
        await shop.arrived.acquire()
        shop.open.set()
        found = await asyncio.gather(early, *late)
    assert [order.id for order in found if order] == ["1", "1", "2", "3"]
    assert shop.asked == [["1"], ["1", "2", "3"]]


async def test_an_asker_that_is_cancelled_leaves_the_others_be(
    shop: Shop, client: AsyncTikTokShop
) -> None:
    """They share a call, and nothing else."""
    shop.open.clear()
    async with OrderLookup(client) as lookup:
        askers = [asyncio.create_task(lookup.order(name)) for name in ("1", "1", "2")]
        await shop.arrived.acquire()
        askers[0].cancel()
        shop.open.set()
        results = await asyncio.gather(*askers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [getattr(each, "id", None) for each in results[1:]] == ["1", "2"]


async def test_an_id_that_the_service_refuses_fails_alone(
    shop: Shop, client: AsyncTikTokShop
) -> None:
    """The others are asked for again without it."""
    shop.refused["7"] = 36009004
    async with OrderLookup(client) as lookup:
        results = await asyncio.gather(
            *(lookup.order(str(name)) for name in range(50)), return_exceptions=True
        )
    assert isinstance(results[7], InvalidRequestError)
    assert sum(isinstance(each, TikTokShopError) for each in results) == 1
    assert len(shop.asked) < 15


async def test_what_befalls_all_is_not_asked_again(shop: Shop, client: AsyncTikTokShop) -> None:
    """A missing scope is told to each, with an error of its own."""
    shop.refused["7"] = 105005
    async with OrderLookup(client) as lookup:
        results = await asyncio.gather(
            *(lookup.order(str(name)) for name in range(50)), return_exceptions=True
        )
    assert {type(each) for each in results} == {PermissionDeniedError}
    assert len({id(each) for each in results}) == 50
    assert len(shop.asked) == 1


async def test_whoever_waits_when_it_is_closed_is_told(shop: Shop, client: AsyncTikTokShop) -> None:
    """Nobody waits for ever."""
    shop.open.clear()
    lookup = OrderLookup(client)
    asker = asyncio.create_task(lookup.order("1"))
    await shop.arrived.acquire()
    await lookup.aclose()
    with pytest.raises(ClientClosedError):
        await asker


async def test_who_asks_when_all_calls_have_just_ended_gets_an_answer(
    shop: Shop, client: AsyncTikTokShop
) -> None:
    """In the very step of the event loop in which those before got theirs."""

    async def ask_twice() -> None:
        await lookup.order("1")
        assert await lookup.order("3") is not None

    shop.open.clear()
    async with OrderLookup(client) as lookup, asyncio.timeout(5):
        asking = [asyncio.create_task(ask_twice())]
        await shop.arrived.acquire()
        asking.append(asyncio.create_task(lookup.order("2")))
        await shop.arrived.acquire()
        shop.open.set()
        await asyncio.gather(*asking)


async def test_whoever_waits_when_the_tasks_that_ask_are_cancelled_is_told(
    shop: Shop, client: AsyncTikTokShop
) -> None:
    """Those whose call is not under way yet, too."""
    shop.open.clear()
    me, before = asyncio.current_task(), asyncio.all_tasks()
    async with OrderLookup(client) as lookup, asyncio.timeout(5):
        askers = []
        for number in range(4):
            askers.append(asyncio.create_task(lookup.order(str(number))))
            await asyncio.sleep(0.01)
        for task in asyncio.all_tasks() - before - {me, *askers}:
            task.cancel()
        results = await asyncio.gather(*askers, return_exceptions=True)
    assert {type(each) for each in results} == {ClientClosedError}
