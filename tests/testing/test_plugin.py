"""The pytest plugin, run in a pytest of its own as a user has it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

USERS_TESTS = """
import pytest
from tiktok_shop_async import AsyncTikTokShop

PAID = "seller_cancel_reason_out_of_stock"


async def cancelled(client):
    orders = (await client.order.get_order_list(page_size=1, order_status="AWAITING_SHIPMENT")).data
    order_id = orders.orders[0].id
    await client.return_refund.cancel_order(order_id=order_id, cancel_reason=PAID)
    return order_id


@pytest.mark.asyncio
async def test_the_mock(mock_tiktok_shop):
    mock_tiktok_shop.return_refund.cancel_order.respond({"cancel_id": "4"})
    async with mock_tiktok_shop.client() as client:
        response = await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    assert response.data.cancel_id == "4"


@pytest.mark.asyncio
async def test_the_sandbox(sandbox):
    async with sandbox.client() as client:
        order_id = await cancelled(client)
    assert sandbox.shop.orders[order_id].status == "CANCELLED"


@pytest.mark.asyncio
async def test_the_sandbox_on_a_port(sandbox_server):
    async with sandbox_server.client() as client:
        order_id = await cancelled(client)
    assert sandbox_server.base_url.startswith("http://127.0.0.1:")
    assert sandbox_server.shop.orders[order_id].status == "CANCELLED"


@pytest.mark.asyncio
async def test_time_is_moved(sandbox):
    before = sandbox.clock()
    sandbox.clock.advance(3600)
    async with sandbox.client() as client:
        order_id = await cancelled(client)
    assert sandbox.shop.orders[order_id].update_time >= before + 3599


@pytest.mark.asyncio
async def test_an_idle_mock_fails(mock_tiktok_shop):
    mock_tiktok_shop.order.get_order_detail.respond()
"""


def test_the_fixtures_work_in_a_users_tests(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error"
    )
    pytester.makepyfile(USERS_TESTS)
    result = pytester.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*mocked, but never called: order.get_order_detail*"])
