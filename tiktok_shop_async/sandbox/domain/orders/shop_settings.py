"""Settings of a shop: its region, its time spans, and which cancellations stay pending."""

from __future__ import annotations

import attrs
from attrs.validators import ge

HOUR = 3600
DAY = 24 * HOUR

PENDING_SHARE = 0.05
"""Default share of the seller's cancellations that stay pending for a while."""


def _span(seconds: float) -> float:
    span: float = attrs.field(default=seconds, validator=ge(0))
    return span


@attrs.frozen(kw_only=True)
class Spans:
    """Time spans in seconds after which the platform acts by itself.

    ``hold_seconds`` and ``seller_response_seconds`` are documented by the platform; the others are
    our choice.
    """

    hold_seconds: float = _span(HOUR)
    """Time on hold: how long after the payment the buyer can cancel without approval."""
    payment_seconds: float = _span(DAY)
    """Time to pay before an order is cancelled."""
    seller_response_seconds: float = _span(2 * DAY)
    """Time for the seller to respond to a buyer's request before it is approved."""
    buyer_ship_seconds: float = _span(5 * DAY)
    """Time for the buyer to send an approved return before it is withdrawn."""
    buyer_response_seconds: float = _span(2 * DAY)
    """Time for the buyer to respond to an offer before it counts as declined."""
    payout_seconds: float = _span(HOUR)
    """Time from granting a refund to its payout."""
    pending_seconds: float = _span(2)
    """Time that a seller's cancellation stays pending, if it is not confirmed at once."""


@attrs.define(kw_only=True)
class ShopSettings:
    """Settings of a shop; they can be changed at any time and apply to what starts afterwards."""

    region: str = "US"
    spans: Spans = attrs.field(factory=Spans)
    seed: int = 0
    """Selects, together with the order's id, which cancellations stay pending."""
    pending_share: float = PENDING_SHARE
    """Share of the seller's cancellations that stay pending, from 0 to 1."""
