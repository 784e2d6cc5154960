"""One shop: who it is, on top of what it can do with its orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .aftersales.returning import Returning

if TYPE_CHECKING:
    from .idempotency import Reply


@attrs.define(eq=False, kw_only=True)
class Shop(Returning):
    """A seller's shop; all that its calls read and change, apart from HTTP.

    Nothing here waits: a change is complete before another call can see it. Which cancellations
    stay pending follows from the seed and the order's id, not from the order of the calls.
    """

    name: str
    cipher: str = attrs.field(repr=False)
    code: str = "USLCSANDBOX"
    seller_type: str = "LOCAL"
    currency: str = "USD"
    warehouse_id: str = "7000714532876273001"
    replies: dict[tuple[str, str], Reply] = attrs.field(factory=dict, init=False, repr=False)
    """Operation and idempotency key -> the answer given."""

    def remember(self, reply: Reply) -> None:
        """Answer the same again to the same idempotency key."""
        self.replies[reply.operation, reply.key] = reply
        self.on_touch(reply)
