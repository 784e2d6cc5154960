"""From what is meant to a name that the service takes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from batch.shops import CANCEL, ELIGIBILITY, a_shop, calls, order_ids, order_ids_of

from tiktok_shop_async.batch import CancelOutcome, CancelReason, cancel_orders
from tiktok_shop_async.batch.cancellation.cancel_reasons import (
    documented_reasons,
    is_exact,
    names_of,
    parse_reason,
)
from tiktok_shop_async.errors import InvalidArgumentError
from tiktok_shop_async.sandbox import (
    DEMO_SECOND_SHOP_CIPHER,
    FaultRule,
    Faults,
    Sandbox,
    Shop,
)

pytestmark = pytest.mark.usefixtures("transport")

STATUSES = ("UNPAID", "ON_HOLD", "AWAITING_SHIPMENT", "AWAITING_COLLECTION")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with a_shop(orders=200, pending_share=0.0) as sandbox:
        yield sandbox


async def outcomes_of(sandbox: Sandbox, ids: list[str], reason: str) -> dict[str, CancelOutcome]:
    async with sandbox.client() as client:
        return {each.order_id: each async for each in cancel_orders(client, ids, reason=reason)}


async def test_an_intent_has_a_name_for_each_status(sandbox: Sandbox) -> None:
    """The service is asked once for each status, not for each order."""
    ids = [order_id for status in STATUSES for order_id in order_ids(sandbox, status)[:5]]
    outcomes = await outcomes_of(sandbox, ids, "out_of_stock")
    assert {each.status for each in outcomes.values()} == {"confirmed"}
    assert calls(sandbox)[ELIGIBILITY] == len(STATUSES)
    names = {sandbox.shop.orders[each].cancellations[0].reason for each in ids}
    assert names == {
        "seller_cancel_unpaid_reason_out_of_stock",
        "seller_cancel_reason_out_of_stock",
    }


async def test_an_intent_that_the_status_does_not_know_is_refused_unsent(sandbox: Sandbox) -> None:
    """With the reasons that there are, and before anything is sent."""
    order_id = order_ids(sandbox, "UNPAID")[0]
    outcome = (await outcomes_of(sandbox, [order_id], "address_not_deliverable"))[order_id]
    assert (outcome.status, outcome.attempts) == ("refused", 0)
    assert "seller_cancel_unpaid_reason_out_of_stock" in (outcome.hint or "")
    assert calls(sandbox)[CANCEL] == 0


async def test_the_documented_names_do_where_the_service_cannot_be_asked(
    sandbox: Sandbox,
) -> None:
    """A fallback: another region's names may not fit, and one that does not is tried but once."""
    sandbox.faults.add("quota_exhausted", operation=ELIGIBILITY)
    ids = [order_id for status in STATUSES for order_id in order_ids(sandbox, status)[:5]]
    outcomes = await outcomes_of(sandbox, ids, "out_of_stock")
    assert {each.status for each in outcomes.values()} == {"confirmed"}


@pytest.mark.parametrize("is_asked", [True, False])
async def test_other_regions_have_other_names(sandbox: Sandbox, is_asked: bool) -> None:
    """In the UK they end in _uk: the service says so, or a second try finds out."""
    if not is_asked:
        sandbox.faults.add("quota_exhausted", operation=ELIGIBILITY)
    shop = sandbox.market.shops[DEMO_SECOND_SHOP_CIPHER]
    ids = [each.id for each in shop.orders.values() if each.status == "AWAITING_SHIPMENT"]
    async with sandbox.client() as client:
        view = client.for_shop(shop_cipher=DEMO_SECOND_SHOP_CIPHER)
        batch = cancel_orders(view, ids, reason=CancelReason.WRONG_PRICE)
        outcomes = [each async for each in batch]
    assert {(each.status, each.attempts) for each in outcomes} == {
        ("confirmed", 1 if is_asked else 2)
    }
    assert all(len(shop.orders[each].cancellations) == 1 for each in ids)


class PaidAtTheLastMoment(Faults):
    """The buyer pays just before the order is cancelled."""

    shop: Shop

    def choose(self, operation: str) -> FaultRule | None:
        for order_id in order_ids_of(self.shop, "UNPAID") if operation == CANCEL else ():
            self.shop.pay(order_id)
        return super().choose(operation)


async def test_an_order_whose_status_has_changed_gets_another_reason() -> None:
    """Nothing was processed when a reason did not fit, so the order's own are asked for."""
    faults = PaidAtTheLastMoment()
    async with a_shop(orders=200, pending_share=0.0, faults=faults) as sandbox:
        faults.shop = sandbox.shop
        order_id = order_ids(sandbox, "UNPAID")[0]
        outcome = (await outcomes_of(sandbox, [order_id], "out_of_stock"))[order_id]
        assert (outcome.status, outcome.attempts) == ("confirmed", 2)
        (done,) = sandbox.shop.orders[order_id].cancellations
        assert done.reason == "seller_cancel_reason_out_of_stock"


async def test_an_exact_name_that_does_not_fit_is_refused_with_those_that_do(
    sandbox: Sandbox,
) -> None:
    """What the user chose is not replaced by a guess."""
    order_id = order_ids(sandbox, "UNPAID")[0]
    reason = "seller_cancel_reason_out_of_stock"
    outcome = (await outcomes_of(sandbox, [order_id], reason))[order_id]
    assert (outcome.status, outcome.code, outcome.attempts) == ("refused", 25001021, 1)
    assert "seller_cancel_unpaid_reason_out_of_stock" in (outcome.hint or "")


@pytest.mark.parametrize("intent", list(CancelReason))
def test_each_intent_has_documented_names(intent: CancelReason) -> None:
    """And an intent is no exact name."""
    assert names_of(intent, documented_reasons(None))
    assert not is_exact(intent)
    assert parse_reason(str(intent)) == intent


@pytest.mark.parametrize("reason", ["oos", "out of stock", "outofstock", "", "no_stock", 7])
def test_what_can_be_no_reason_is_refused(reason: str) -> None:
    """Before any order is touched, and with those that there are."""
    with pytest.raises(InvalidArgumentError, match=r"reason") as caught:
        cancel_orders(None, ["1"], reason=reason)  # type: ignore[arg-type]
    assert caught.value.argument == "reason"
