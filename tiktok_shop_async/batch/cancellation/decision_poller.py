"""Polling of a pending cancellation until it is decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import attrs

from ...errors import TikTokShopError
from .cancel_outcome import CONFIRMED, PENDING, REFUSED, CancelOutcome
from .context import CancellationContext
from .order_to_cancel import OrderToCancel
from .resolution import state_of_status
from .resolving import look_up

MIN_PAUSE, MAX_PAUSE = 2.0, 30.0
"""Seconds between two look-ups; the pause grows."""


class DecisionPoller:
    """A poller of a pending cancellation, until it is decided or the time has passed."""

    def __init__(
        self, context: CancellationContext, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._context = context
        self._clock = context.client.clock
        self._sleep = sleep

    async def wait(self, outcome: CancelOutcome, sent: OrderToCancel) -> CancelOutcome:
        """Return the outcome of a request when it is decided or the time has passed."""
        deadline = self._clock.monotonic() + self._context.wait_for_pending
        pause = MIN_PAUSE
        if outcome.resumed and outcome.status == PENDING and self._context.wait_for_pending:
            with suppress(TikTokShopError):  # it may have been decided since the earlier run
                outcome = await self._updated(outcome, sent)
        while outcome.status == PENDING and (left := deadline - self._clock.monotonic()) > 0:
            await self._sleep(min(pause, left))
            pause = min(pause * 1.5, MAX_PAUSE)
            with suppress(TikTokShopError):  # the next look-up may succeed
                outcome = await self._updated(outcome, sent)
        return outcome

    async def _updated(self, outcome: CancelOutcome, sent: OrderToCancel) -> CancelOutcome:
        if outcome.cancel_id is None:  # the pending cancellation is not one of this batch
            found = await look_up(sent, self._context.lookup, sent_at=None)
            status = {"confirmed": CONFIRMED, "pending": PENDING}.get(found.status)
            if status is None:
                return outcome
            return attrs.evolve(
                outcome, status=status, cancel_id=found.cancel_id, message=found.evidence
            )
        for each in await self._context.lookup.cancellations(sent.order_id):
            if each.cancel_id == outcome.cancel_id:
                message = f"The cancellation is {each.cancel_status}."
                match state_of_status(each.cancel_status):
                    case "completed":
                        return attrs.evolve(outcome, status=CONFIRMED, message=message)
                    case "dropped":
                        return attrs.evolve(outcome, status=REFUSED, message=message)
        return outcome
