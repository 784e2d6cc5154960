"""A cancellation whose answer was lost, looked up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from helpers.batch.shops import CANCEL, DETAIL, PAID, SEARCH, a_shop, order_ids

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async.batch import resolve_cancellation
from tiktok_shop_async.errors import OutcomeUnknownError, RateLimitError
from tiktok_shop_async.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("transport")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with a_shop(orders=60, pending_share=0.0) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[AsyncTikTokShop]:
    async with sandbox.client(max_retries=0) as client:
        yield client


async def never(_: float) -> None:
    pytest.fail("there is nothing to wait for")


async def lose(client: AsyncTikTokShop, sandbox: Sandbox, fault: str, order_id: str) -> float:
    """Send a cancellation whose answer is lost, and return when."""
    sandbox.faults.add(fault, operation=CANCEL, times=1)
    sent_at = sandbox.clock()
    with pytest.raises(OutcomeUnknownError):
        await client.return_refund.cancel_order(order_id=order_id, cancel_reason=PAID)
    return sent_at


async def test_what_was_done_is_said_at_once(sandbox: Sandbox, client: AsyncTikTokShop) -> None:
    """The record of the cancellation is proof enough."""
    order_id = order_ids(sandbox)[0]
    sent_at = await lose(client, sandbox, "lost_answer", order_id)
    found = await resolve_cancellation(client, order_id, sent_at=sent_at, sleep=never)
    (done,) = sandbox.shop.orders[order_id].cancellations
    assert (found.status, found.cancel_id, found.ours) == ("confirmed", done.id, True)
    assert (found.order_status, found.role) == ("CANCELLED", "SELLER")
    assert done.id in found.evidence


async def test_nothing_done_is_said_after_a_second_look(
    sandbox: Sandbox, client: AsyncTikTokShop
) -> None:
    """Until then the request may still be on its way."""
    order_id = order_ids(sandbox)[0]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    sent_at = await lose(client, sandbox, "reset_before", order_id)
    found = await resolve_cancellation(client, order_id, sent_at=sent_at, settle=7.0, sleep=sleep)
    assert (found.status, found.withdrawn, waits) == ("not_done", False, [7.0])


async def test_a_request_that_arrives_late_is_found(
    sandbox: Sandbox, client: AsyncTikTokShop
) -> None:
    """The second look finds what the first was too early for."""
    order_id = order_ids(sandbox)[0]

    async def sleep(_: float) -> None:
        sandbox.shop.cancel(order_id, PAID)

    sent_at = await lose(client, sandbox, "reset_before", order_id)
    found = await resolve_cancellation(client, order_id, sent_at=sent_at, sleep=sleep)
    assert (found.status, found.ours) == ("confirmed", True)


async def test_a_part_is_told_from_other_parts(sandbox: Sandbox, client: AsyncTikTokShop) -> None:
    """Only a cancellation of the very line items is the one that was asked for."""
    order = sandbox.shop.orders[order_ids(sandbox, lines=2)[0]]
    first, second = order.lines[0].id, order.lines[1].id
    sandbox.faults.add("lost_answer", operation=CANCEL, times=1)
    with pytest.raises(OutcomeUnknownError):
        await client.return_refund.cancel_order(
            order_id=order.id, cancel_reason=PAID, order_line_item_ids=[first]
        )

    async def at_once(_: float) -> None: ...

    done = await resolve_cancellation(client, order.id, order_line_item_ids=[first], sleep=never)
    other = await resolve_cancellation(
        client, order.id, order_line_item_ids=[second], sleep=at_once
    )
    assert (done.status, other.status) == ("confirmed", "not_done")
    assert (done.order_status, done.ours) == ("AWAITING_SHIPMENT", None)


@pytest.mark.parametrize("operation", [DETAIL, SEARCH])
async def test_a_look_that_fails_leaves_it_unknown(
    sandbox: Sandbox, client: AsyncTikTokShop, operation: str
) -> None:
    """With the reason, and without any guess."""
    order_id = order_ids(sandbox)[0]
    sent_at = await lose(client, sandbox, "lost_answer", order_id)
    sandbox.faults.add("quota_exhausted", operation=operation)
    found = await resolve_cancellation(client, order_id, sent_at=sent_at, sleep=never)
    assert found.status == "unknown"
    assert isinstance(found.error, RateLimitError)
    assert "quota" in found.evidence
