"""What the orders of a batch have in common, and which of them is sent at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ...errors import InvalidArgumentError
from ...options import RequestOptions
from ...resources.return_refund import GET_AFTERSALE_ELIGIBILITY
from ..claims import Claims
from ..journal.base import Record
from ..retry_window import Patience
from .cancel_outcome import CancelOutcome
from .cancel_reasons import Reasons, checked_reason, offered_reasons
from .order_cancellation import URGENT, OneOrder
from .order_lookup import OrderLookup
from .order_to_cancel import OrderToCancel

if TYPE_CHECKING:
    from ...client import AsyncTikTokShop

_WITH_REASONS = RequestOptions(priority="high", api_version="202602")


class Cancelling:
    """What the orders of a batch have in common, and how each is cancelled."""

    def __init__(
        self,
        client: AsyncTikTokShop,
        *,
        reason: str | None,
        preflight: bool,
        patience: float,
        settle: float,
        wait_for_pending: float,
    ) -> None:
        self.client = client
        self.reason = reason
        self.preflight = preflight
        self.patience = Patience(client, patience)
        self.settle = settle
        self.wait_for_pending = wait_for_pending
        self.lookup = OrderLookup(client, options=URGENT, patience=self.patience)
        self.reasons = Reasons(self._ask_for_reasons)
        self.taken: dict[str, set[str]] = {}
        """By order, the line items that were chosen for its SKUs: no two parts get the same."""

    def read(self, given: Any) -> OrderToCancel:
        """Return what an item of the input stands for; `InvalidArgumentError` if it is none."""
        wanted = OrderToCancel.of(given)
        reason = wanted.reason or self.reason
        if reason is None:
            raise InvalidArgumentError(
                f"order {wanted.order_id} has no reason, and neither has the batch.",
                argument="reason",
            )
        return attrs.evolve(wanted, reason=checked_reason(reason))

    async def carry_out(self, index: int, given: Any, claims: Claims) -> CancelOutcome:
        """Return what became of one order, which is sent only if it is not final already."""
        self.client.check_usable()
        wanted = self.read(given)
        one = OneOrder(self, wanted, claims, index, given)
        while True:
            try:
                claimed = await claims.claim(wanted.key)
            except InvalidArgumentError:
                return one.duplicate()
            if isinstance(claimed, Record):
                return await one.resumed(claimed)
            outcome = await one.finished(claimed)
            if outcome is not None:
                return outcome

    async def _ask_for_reasons(self, wanted: OrderToCancel) -> Sequence[str]:
        async def ask() -> Sequence[str]:
            response = await self.client.return_refund.get_aftersale_eligibility(
                order_id=wanted.order_id,
                initiate_aftersale_user="SELLER",
                request_types=["CANCEL"],
                options=_WITH_REASONS,
            )
            return offered_reasons(response.data, wanted)

        return await self.patience(GET_AFTERSALE_ELIGIBILITY, ask)
