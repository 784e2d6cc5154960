"""A request that is on its way for longer than anybody would wait."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from batch.shops import CANCEL, PAID, calls, order_ids, shop_in_a_hurry

from tiktok_shop_async.batch import CancelOutcome, OrderToCancel, cancel_orders
from tiktok_shop_async.sandbox import Sandbox
from tiktok_shop_async.sandbox.domain.entities.orders import Order

pytestmark = pytest.mark.usefixtures("transport")


class SlowWay(httpx.AsyncBaseTransport):
    """Keeps the first cancellation back, and delivers it around the second one."""

    def __init__(self, way: httpx.AsyncBaseTransport | None, *, arrives_first: bool) -> None:
        self._arrives_first = arrives_first
        self._way = way or httpx.AsyncHTTPTransport()
        self._kept: httpx.Request | None = None
        self.cancellations = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/cancellations"):
            return await self._way.handle_async_request(request)
        self.cancellations += 1
        if self.cancellations == 1:
            await request.aread()
            self._kept = request
            raise httpx.ReadTimeout("no answer", request=request)
        if self._arrives_first:
            await self._deliver()
        answer = await self._sent(request)
        await self._deliver()
        return answer

    async def _deliver(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            await self._sent(kept)

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        response = await self._way.handle_async_request(request)
        content = await response.aread()
        await response.aclose()
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    async def aclose(self) -> None:
        await self._way.aclose()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with shop_in_a_hurry(1000, pending_share=0.0) as sandbox:
        yield sandbox


def order_with_equal_units(sandbox: Sandbox) -> Order:
    return next(
        order
        for order in (sandbox.shop.orders[each] for each in order_ids(sandbox, lines=3))
        if order.lines[0].sku is order.lines[1].sku
    )


async def cancelled(sandbox: Sandbox, wanted: OrderToCancel, way: SlowWay) -> CancelOutcome:
    async with sandbox.client(transport=way) as client:
        (outcome,) = [each async for each in cancel_orders(client, [wanted], reason=PAID)]
    assert way.cancellations == 2
    assert calls(sandbox)[CANCEL] == 2
    return outcome


@pytest.mark.parametrize("arrives_first", [True, False])
@pytest.mark.parametrize("part", ["the whole", "line items", "SKUs"])
async def test_a_request_that_arrives_after_all_cancels_nothing_twice(
    sandbox: Sandbox, part: str, arrives_first: bool
) -> None:
    """Whichever of the two arrives first, the other one finds nothing left to cancel."""
    order = order_with_equal_units(sandbox)
    lines, skus, expected = None, None, 1
    match part:
        case "the whole":
            expected = len(order.lines)
        case "line items":
            lines = [order.lines[1].id]
        case "SKUs":
            skus = {order.lines[0].sku.id: 1}
    wanted = OrderToCancel(order.id, None, lines, skus)
    outcome = await cancelled(
        sandbox, wanted, SlowWay(sandbox.transport, arrives_first=arrives_first)
    )
    (made,) = order.cancellations
    assert (outcome.status, outcome.cancel_id) == ("confirmed", made.id)
    assert sum(line.cancelled for line in order.lines) == expected
