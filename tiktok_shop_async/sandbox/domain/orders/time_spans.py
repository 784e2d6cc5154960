"""How long things take in a shop."""

from __future__ import annotations

import attrs
from attrs.validators import ge

HOUR = 3600
DAY = 24 * HOUR


def _span(seconds: float) -> float:
    span: float = attrs.field(default=seconds, validator=ge(0))
    return span


@attrs.frozen(kw_only=True)
class Spans:
    """How many seconds pass until time decides; the first and the third are documented."""

    hold_seconds: float = _span(HOUR)
    """How long after the payment the buyer may think better of it."""
    payment_seconds: float = _span(DAY)
    """How long the buyer may take to pay before the order is cancelled."""
    seller_response_seconds: float = _span(2 * DAY)
    """How long the seller may take to answer a buyer's request before it is approved by itself."""
    buyer_ship_seconds: float = _span(5 * DAY)
    """How long the buyer may take to send back what was approved."""
    buyer_response_seconds: float = _span(2 * DAY)
    """How long the buyer may take to answer an offer before it counts as declined."""
    payout_seconds: float = _span(HOUR)
    """How long it takes until a granted refund is paid out."""
    pending_seconds: float = _span(2)
    """How long a seller's cancellation that is not decided at once stays pending."""
