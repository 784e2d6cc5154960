"""What the cancellations of one batch share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...options import RequestOptions
from ...resources.return_refund import GET_AFTERSALE_ELIGIBILITY
from ..retry_window import RetryWindow
from .cancel_reasons import Reasons, offered_reasons
from .order_lookup import OrderLookup
from .order_to_cancel import OrderToCancel

if TYPE_CHECKING:
    from ...client import AsyncTikTokShop

URGENT = RequestOptions(priority="high")
_WITH_REASONS = RequestOptions(priority="high", api_version="202602")


class CancellationContext:
    """The client, the settings and the lookups that the cancellations of a batch share."""

    def __init__(
        self,
        client: AsyncTikTokShop,
        *,
        preflight: bool,
        patience: float,
        settle: float,
        wait_for_pending: float,
    ) -> None:
        self.client = client
        self.preflight = preflight
        self.patience = RetryWindow(client, patience)
        self.settle = settle
        self.wait_for_pending = wait_for_pending
        self.lookup = OrderLookup(client, options=URGENT, patience=self.patience)
        self.reasons = Reasons(self._fetch_reasons)
        self.taken: dict[str, set[str]] = {}
        """By order, the line items that were chosen for its SKUs: no two parts get the same."""

    async def _fetch_reasons(self, wanted: OrderToCancel) -> Sequence[str]:
        async def fetch() -> Sequence[str]:
            response = await self.client.return_refund.get_aftersale_eligibility(
                order_id=wanted.order_id,
                initiate_aftersale_user="SELLER",
                request_types=["CANCEL"],
                options=_WITH_REASONS,
            )
            return offered_reasons(response.data, wanted)

        return await self.patience(GET_AFTERSALE_ELIGIBILITY, fetch)
