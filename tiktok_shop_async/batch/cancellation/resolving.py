"""What became of a cancellation whose answer was lost: the shop's own records say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from ...errors import TikTokShopError
from .order_lookup import OrderLookup
from .order_to_cancel import OrderToCancel, Skus
from .resolution import Resolution, judge

if TYPE_CHECKING:
    from ...client import AsyncTikTokShop

SETTLE = 5.0
"""Seconds after which a request whose answer was lost is no longer on its way."""


async def resolve_cancellation(
    client: AsyncTikTokShop,
    order_id: str,
    *,
    order_line_item_ids: Sequence[str] | None = None,
    skus: Skus | None = None,
    sent_at: float | None = None,
    settle: float = SETTLE,
    lookup: OrderLookup | None = None,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> Resolution:
    """Find out what became of a `cancel_order` whose outcome is unknown; see the errors' tree.

    What is found done is said at once. That nothing was done is said only after a second look, when
    the request cannot be on its way any more.

    Args:
        order_line_item_ids: As they were sent; without them, and without SKUs, the whole order.
        skus: As they were sent.
        sent_at: Unix seconds when the request was first sent: tells it from older ones.
        settle: Seconds from now until the second look.
        lookup: Shared by many, so that they are looked up together.
        sleep: Waits for the second look; by default by the client's clock.
    """
    wanted = OrderToCancel(order_id, None, order_line_item_ids, skus)
    if lookup is not None:
        return await resolve(client, wanted, lookup, sent_at=sent_at, settle=settle, sleep=sleep)
    async with OrderLookup(client) as own:
        return await resolve(client, wanted, own, sent_at=sent_at, settle=settle, sleep=sleep)


async def resolve(
    client: AsyncTikTokShop,
    wanted: OrderToCancel,
    lookup: OrderLookup,
    *,
    sent_at: float | None,
    settle: float = SETTLE,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> Resolution:
    """Find out what became of a request to cancel ``wanted``."""
    found = await look(wanted, lookup, sent_at=sent_at)
    if found.status != "not_done" or found.withdrawn:
        return found
    await (sleep or client.clock.sleep)(settle)
    return await look(wanted, lookup, sent_at=sent_at)


async def look(wanted: OrderToCancel, lookup: OrderLookup, *, sent_at: float | None) -> Resolution:
    """Return what the shop's records say now; a look-up that fails leaves it unknown."""
    try:
        order, cancellations = await lookup.both(wanted.order_id)
    except TikTokShopError as error:
        return Resolution(
            order_id=wanted.order_id,
            status="unknown",
            evidence=f"The order could not be looked up: {error.message}",
            error=error,
        )
    return judge(wanted, order, cancellations, sent_at=sent_at)
