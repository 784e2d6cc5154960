"""Cancellation of the orders of a batch: each is validated, claimed, and then cancelled."""

from __future__ import annotations

from typing import Any

import attrs

from ...errors import InvalidArgumentError
from ..claims import Claims
from ..journal.base import Record
from .cancel_outcome import CancelOutcome
from .cancel_reasons import parse_reason
from .context import CancellationContext
from .order_cancellation import OrderCancellation
from .order_to_cancel import OrderToCancel


@attrs.frozen
class OrderCanceller:
    """The work of a batch of cancellations, one call for each order."""

    context: CancellationContext
    reason: str | None
    """The reason for orders without their own."""

    def validate(self, given: Any) -> OrderToCancel:
        """Return the order that an item of the input names; reject an item that is not valid."""
        target = OrderToCancel.of(given)
        reason = target.reason or self.reason
        if reason is None:
            raise InvalidArgumentError(
                f"reason is required: neither order {target.order_id} nor the batch has one.",
                argument="reason",
            )
        return attrs.evolve(target, reason=parse_reason(reason))

    async def cancel(self, index: int, given: Any, claims: Claims) -> CancelOutcome:
        """Cancel one order unless its outcome is in the journal; return the outcome."""
        self.context.client.check_usable()
        target = self.validate(given)
        order = OrderCancellation(self.context, target, claims, index, given)
        while True:
            try:
                claimed = await claims.claim(target.key)
            except InvalidArgumentError:
                return order.duplicate()
            if isinstance(claimed, Record):
                return await order.resume(claimed)
            outcome = await order.carry_out(claimed)
            if outcome is not None:
                return outcome
