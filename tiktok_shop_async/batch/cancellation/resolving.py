"""Look-up of cancellations with an unknown outcome in the records of the shop."""

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
"""Seconds after which a request without a response can no longer take effect."""


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
    """Look up the result of a `cancel_order` call that raised `OutcomeUnknownError`.

    A cancellation that is found is returned at once. ``"not_done"`` is returned only after a second
    look-up, when the request can no longer take effect.

    Args:
        order_line_item_ids: The line items that were sent; without them, and without ``skus``, the
            whole order.
        skus: The SKUs that were sent.
        sent_at: Unix seconds when the request was first sent, to distinguish it from older ones.
        settle: Seconds until the second look-up.
        lookup: An `OrderLookup` to share, so that many orders are looked up in few calls.
        sleep: Waits for the second look-up, in place of the client's clock.
    """
    target = OrderToCancel(order_id, None, order_line_item_ids, skus)
    if lookup is not None:
        return await resolve(client, target, lookup, sent_at=sent_at, settle=settle, sleep=sleep)
    async with OrderLookup(client) as own:
        return await resolve(client, target, own, sent_at=sent_at, settle=settle, sleep=sleep)


async def resolve(
    client: AsyncTikTokShop,
    target: OrderToCancel,
    lookup: OrderLookup,
    *,
    sent_at: float | None,
    settle: float = SETTLE,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> Resolution:
    """Look up the result of a request to cancel ``target``; see `resolve_cancellation`."""
    found = await look_up(target, lookup, sent_at=sent_at)
    if found.status != "not_done" or found.withdrawn:
        return found
    await (sleep or client.clock.sleep)(settle)
    return await look_up(target, lookup, sent_at=sent_at)


async def look_up(
    target: OrderToCancel, lookup: OrderLookup, *, sent_at: float | None
) -> Resolution:
    """Return the result according to the shop's records; unknown if the look-up fails."""
    try:
        order, cancellations = await lookup.both(target.order_id)
    except TikTokShopError as error:
        return Resolution(
            order_id=target.order_id,
            status="unknown",
            evidence=f"The look-up of the order failed: {error.message}",
            error=error,
        )
    return judge(target, order, cancellations, sent_at=sent_at)
