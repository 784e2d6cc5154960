"""As many orders as a bad day brings, with all that goes wrong on such a day."""

from __future__ import annotations

from collections import Counter

import pytest
from helpers.batch.shops import CANCEL, shop_in_a_hurry, untruths

from tiktok_shop_async.batch import cancel_orders

pytestmark = pytest.mark.usefixtures("transport")

ORDERS = 20_000


@pytest.mark.scale
async def test_twenty_thousand_orders_come_to_their_true_state() -> None:
    """5 % lost answers, 3 % resets, 10 % throttled, 1 % failures: none twice, none unknown."""
    async with shop_in_a_hurry(ORDERS) as sandbox:
        add = sandbox.faults.add
        add("lost_answer", operation=CANCEL, probability=0.05, seed=1)
        add("reset_before", operation=CANCEL, probability=0.03, seed=2)
        add("throttled", operation=CANCEL, probability=0.10, seed=3)
        add("internal_error", operation=CANCEL, probability=0.005, seed=4)
        add("internal_error", operation=CANCEL, probability=0.005, seed=5, after_processing=True)
        async with sandbox.client() as client:
            batch = cancel_orders(client, list(sandbox.shop.orders), reason="out_of_stock")
            outcomes = [each async for each in batch]
        assert len({each.order_id for each in outcomes}) == len(outcomes) == ORDERS
        assert untruths(sandbox, outcomes) == []
        counts = Counter(each.status for each in outcomes)
        assert counts.keys() == {"confirmed", "pending", "already_cancelled", "refused"}
        assert all(fault.struck for fault in sandbox.faults)
