"""What a journal says, and what is sent then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import attrs
import pytest
from helpers.batch.shops import CANCEL, PAID, calls, order_ids, shop_in_a_hurry

from tiktok_shop_async.batch import CancelOutcome, Claim, Record, cancel_orders
from tiktok_shop_async.errors import LeaseLostError
from tiktok_shop_async.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("transport")


@attrs.define
class Told:
    """A journal that answers as a test tells it to, and notes what it is asked for."""

    claims: list[Claim | Record]
    lost: bool = False
    """Whether the lease is over when the order should go out."""
    taken: bool = False
    """Whether another process has the order when its outcome is there."""
    asked: list[str] = attrs.field(factory=list)
    finished: list[Record] = attrs.field(factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Told]:
        yield self

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claim | Record:
        self.asked.append("claim")
        return self.claims.pop(0)

    def check(self, key: str) -> None:
        self.asked.append("check")
        if self.lost:
            raise LeaseLostError("too late")

    async def finish(self, record: Record) -> bool:
        self.asked.append("finish")
        self.finished.append(record)
        return not self.taken

    async def release(self, key: str) -> None:
        self.asked.append("release")

    async def abandon(self, key: str) -> None:
        self.asked.append("abandon")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with shop_in_a_hurry(pending_share=0.0) as sandbox:
        yield sandbox


def claim(order_id: str, *, maybe_sent: bool = False) -> Claim:
    return Claim(key=order_id, maybe_sent=maybe_sent, first_claimed_at=datetime.now(UTC))


def by_another(order_id: str) -> Record:
    return Record(key=order_id, status="confirmed", details={"cancel_id": "99"})


async def run(sandbox: Sandbox, journal: Told, order_id: str) -> CancelOutcome:
    async with sandbox.client() as client:
        batch = cancel_orders(client, [order_id], reason=PAID, journal=journal)
        (outcome,) = [each async for each in batch]
    return outcome


async def test_an_order_is_claimed_then_sent_then_finished(sandbox: Sandbox) -> None:
    """And its lease is looked at right before it goes out."""
    order_id = order_ids(sandbox)[0]
    journal = Told([claim(order_id)])
    outcome = await run(sandbox, journal, order_id)
    assert journal.asked == ["claim", "check", "finish"]
    (record,) = journal.finished
    assert (record.key, record.status, record.code) == (order_id, "confirmed", 0)
    assert record.details == {"cancel_id": outcome.cancel_id}
    assert record.request_id == outcome.request_id != ""


async def test_whose_lease_is_lost_sends_nothing(sandbox: Sandbox) -> None:
    """Another process has it by now, and its outcome is what counts."""
    order_id = order_ids(sandbox)[0]
    journal = Told([claim(order_id), by_another(order_id)], lost=True)
    outcome = await run(sandbox, journal, order_id)
    assert calls(sandbox)[CANCEL] == 0
    assert journal.asked == ["claim", "check", "release", "claim"]
    assert (outcome.status, outcome.cancel_id, outcome.resumed) == ("confirmed", "99", True)


async def test_an_outcome_that_comes_too_late_gives_way_to_the_journals(sandbox: Sandbox) -> None:
    """There is one outcome of an order, whoever asks."""
    order_id = order_ids(sandbox)[0]
    journal = Told([claim(order_id), by_another(order_id)], taken=True)
    outcome = await run(sandbox, journal, order_id)
    assert (outcome.status, outcome.cancel_id, outcome.resumed) == ("confirmed", "99", True)


@pytest.mark.parametrize("was_sent", [True, False])
async def test_what_may_have_been_sent_is_looked_up_first(sandbox: Sandbox, was_sent: bool) -> None:
    """It is sent only if it surely was not carried out."""
    order_id = order_ids(sandbox)[0]
    journal = Told([claim(order_id, maybe_sent=True)])
    if was_sent:
        sandbox.shop.cancel(order_id, PAID)
    outcome = await run(sandbox, journal, order_id)
    (made,) = sandbox.shop.orders[order_id].cancellations
    assert (outcome.status, outcome.cancel_id) == ("confirmed", made.id)
    assert calls(sandbox)[CANCEL] == (0 if was_sent else 1)


@pytest.mark.parametrize(
    ("fault", "asked"),
    [("quota_exhausted", "release"), ("reset_before", "abandon")],
)
async def test_only_what_surely_was_not_sent_is_released(
    sandbox: Sandbox, fault: str, asked: str
) -> None:
    """What got lost is let go of: whoever takes it up has to look first."""
    order_id = order_ids(sandbox)[0]
    sandbox.faults.add(fault, operation=CANCEL)
    journal = Told([claim(order_id)])
    assert (await run(sandbox, journal, order_id)).status == "not_done"
    assert journal.asked[-1] == asked
    assert journal.finished == []
