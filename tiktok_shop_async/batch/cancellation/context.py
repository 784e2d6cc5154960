"""The context that the cancellations of one batch share."""

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
        self.retry_window = RetryWindow(client, patience)
        self.settle = settle
        self.wait_for_pending = wait_for_pending
        self.lookup = OrderLookup(client, options=URGENT, retry_window=self.retry_window)
        self.reasons = Reasons(self._fetch_reasons)
        self.chosen_line_items: dict[str, set[str]] = {}
        """By order id, the line items chosen for its SKUs, so that no two parts share one."""

    async def _fetch_reasons(self, target: OrderToCancel) -> Sequence[str]:
        async def fetch() -> Sequence[str]:
            response = await self.client.return_refund.get_aftersale_eligibility(
                order_id=target.order_id,
                initiate_aftersale_user="SELLER",
                request_types=["CANCEL"],
                options=_WITH_REASONS,
            )
            return offered_reasons(response.data, target)

        return await self.retry_window(GET_AFTERSALE_ELIGIBILITY, fetch)
