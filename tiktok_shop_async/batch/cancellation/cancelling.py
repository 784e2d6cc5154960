"""Cancellation of the orders of a batch: each is validated, claimed, and then cancelled."""

from __future__ import annotations

from typing import Any

import attrs

from ...errors import InvalidArgumentError
from ..claims import Claims
from ..journal.base import Record
from .cancel_outcome import CancelOutcome
from .cancel_reasons import checked_reason
from .context import CancellationContext
from .order_cancellation import OrderCancellation
from .order_to_cancel import OrderToCancel


@attrs.frozen
class OrderCanceller:
    """Cancels the orders of one batch."""

    context: CancellationContext
    reason: str | None
    """For orders without their own."""

    def validate(self, given: Any) -> OrderToCancel:
        """Return the order that an item of the input names; reject an item that is not valid."""
        wanted = OrderToCancel.of(given)
        reason = wanted.reason or self.reason
        if reason is None:
            raise InvalidArgumentError(
                f"order {wanted.order_id} has no reason, and neither has the batch.",
                argument="reason",
            )
        return attrs.evolve(wanted, reason=checked_reason(reason))

    async def cancel(self, index: int, given: Any, claims: Claims) -> CancelOutcome:
        """Cancel one order unless the journal has a final outcome of it; return the outcome."""
        self.context.client.check_usable()
        wanted = self.validate(given)
        order = OrderCancellation(self.context, wanted, claims, index, given)
        while True:
            try:
                claimed = await claims.claim(wanted.key)
            except InvalidArgumentError:
                return order.duplicate()
            if isinstance(claimed, Record):
                return await order.resumed(claimed)
            outcome = await order.finished(claimed)
            if outcome is not None:
                return outcome
