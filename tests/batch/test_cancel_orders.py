"""Many orders cancelled, each with the truth about it, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import pickle
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
from batch.shops import (
    BUYERS,
    CANCEL,
    DETAIL,
    PAID,
    SEARCH,
    a_shop,
    calls,
    order_ids,
    shop_in_a_hurry,
    untruths,
)
from support import new_client

from tiktok_shop_async.batch import CancelOutcome, OrderToCancel, cancel_orders
from tiktok_shop_async.errors import (
    ClientClosedError,
    ConnectError,
    InvalidArgumentError,
    PermissionDeniedError,
    RateLimitError,
)
from tiktok_shop_async.sandbox import DEMO_ORDERS_ONLY_TOKEN, FaultRule, Sandbox
from tiktok_shop_async.sandbox.domain.entities.orders import Order

pytestmark = pytest.mark.usefixtures("transport")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with shop_in_a_hurry(pending_share=0.0) as sandbox:
        yield sandbox


async def run(
    sandbox: Sandbox, orders: Iterable[Any], *, reason: str | None = PAID, **options: Any
) -> list[CancelOutcome]:
    async with sandbox.client() as client:
        return [each async for each in cancel_orders(client, orders, reason=reason, **options)]


async def run_one(sandbox: Sandbox, order: Any, **options: Any) -> CancelOutcome:
    (outcome,) = await run(sandbox, [order], **options)
    return outcome


# Whatever goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("preflight", [True, False])
@pytest.mark.parametrize("with_journal", [True, False])
async def test_each_order_comes_to_its_true_state_once(
    preflight: bool, with_journal: bool, tmp_path: Path
) -> None:
    """Whatever gets lost, reset, throttled or fails: nothing twice, and nothing unknown."""
    journal = tmp_path / "cancellations.db" if with_journal else None
    async with shop_in_a_hurry(400) as sandbox:
        add = sandbox.faults.add
        for operation in (CANCEL, DETAIL, SEARCH):
            add("lost_answer", operation=operation, probability=0.05, seed=1)
            add("reset_before", operation=operation, probability=0.05, seed=2)
            add("throttled", operation=operation, probability=0.10, seed=3)
            add("internal_error", operation=operation, probability=0.05, seed=4)
        add("internal_error", operation=CANCEL, probability=0.05, seed=5, after_processing=True)
        add("unavailable", operation=CANCEL, probability=0.02, seed=6)
        add("html_page", operation=CANCEL, probability=0.02, seed=7, after_processing=True)
        add("truncated_body", operation=CANCEL, probability=0.02, seed=8)
        add("null_data", operation=CANCEL, probability=0.02, seed=9)
        add("reset_after", operation=CANCEL, probability=0.02, seed=10)
        ids = list(sandbox.shop.orders)
        options = {"reason": "out_of_stock", "preflight": preflight, "journal": journal}
        outcomes = await run(sandbox, ids, **options)
        assert sorted(each.order_id for each in outcomes) == sorted(ids)
        # With a quarter of all answers lost, one may be lost each time it is sent.
        while unlucky := [each.order_id for each in outcomes if each.status == "not_done"]:
            outcomes = [each for each in outcomes if each.status != "not_done"]
            outcomes += await run(sandbox, unlucky, **options)
        assert untruths(sandbox, outcomes) == []
        counts = Counter(each.status for each in outcomes)
        assert counts.keys() == {"confirmed", "pending", "already_cancelled", "refused"}
        if with_journal:
            again = await run(sandbox, ids, reason="out_of_stock", journal=journal)
            assert all(each.resumed for each in again)
            assert facts(again) == facts(outcomes)


def facts(outcomes: Iterable[CancelOutcome]) -> dict[str, Any]:
    return {
        each.order_id: (each.status, each.cancel_id, each.request_id, each.code, each.message)
        for each in outcomes
    }


@pytest.mark.parametrize(
    "fault",
    [
        FaultRule("lost_answer", operation=CANCEL),
        FaultRule("reset_after", operation=CANCEL),
        FaultRule("truncated_body", operation=CANCEL),
        FaultRule("null_data", operation=CANCEL),
        FaultRule("internal_error", operation=CANCEL, after_processing=True),
        FaultRule("unavailable", operation=CANCEL, after_processing=True),
        FaultRule("html_page", operation=CANCEL, after_processing=True),
    ],
    ids=lambda fault: str(fault.kind),
)
async def test_what_was_carried_out_is_not_sent_again(sandbox: Sandbox, fault: FaultRule) -> None:
    """Its record is found, and stands for the answer that was lost."""
    sandbox.faults.add(fault)
    order_id = order_ids(sandbox)[0]
    outcome = await run_one(sandbox, order_id)
    (done,) = sandbox.shop.orders[order_id].cancellations
    assert (outcome.status, outcome.cancel_id) == ("confirmed", done.id)
    assert calls(sandbox)[CANCEL] == outcome.attempts == 1


@pytest.mark.parametrize("fault", ["reset_before", "internal_error", "unavailable", "html_page"])
async def test_what_was_not_carried_out_is_sent_again(sandbox: Sandbox, fault: str) -> None:
    """But not before it was looked up."""
    sandbox.faults.add(fault, operation=CANCEL, nth=1)
    outcome = await run_one(sandbox, order_ids(sandbox)[0])
    assert (outcome.status, outcome.attempts) == ("confirmed", 2)
    assert calls(sandbox)[SEARCH] == 2


async def test_an_order_is_not_sent_for_ever(sandbox: Sandbox) -> None:
    """In the end it is surely not done, and may be run again."""
    sandbox.faults.add("reset_before", operation=CANCEL)
    outcome = await run_one(sandbox, order_ids(sandbox)[0])
    assert outcome.status == "not_done"
    assert outcome.attempts == calls(sandbox)[CANCEL] == 8
    sandbox.faults.clear()
    assert (await run_one(sandbox, outcome.order_id)).status == "confirmed"


async def test_an_outcome_that_cannot_be_looked_up_is_unknown(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Nothing is guessed; with the journal the next run finds out, before it sends anything."""
    journal = tmp_path / "cancellations.db"
    sandbox.faults.add("lost_answer", operation=CANCEL)
    sandbox.faults.add("quota_exhausted", operation=SEARCH, times=1)
    order_id = order_ids(sandbox)[0]
    outcome = await run_one(sandbox, order_id, journal=journal)
    assert outcome.status == "unknown"
    assert isinstance(outcome.error, RateLimitError)
    again = await run_one(sandbox, order_id, journal=journal)
    assert (again.status, again.resumed) == ("confirmed", False)
    assert calls(sandbox)[CANCEL] == 1


async def test_throttling_is_waited_for_and_not_for_ever(sandbox: Sandbox) -> None:
    """What was refused before it was processed is tried again, as long as patience lasts."""
    sandbox.faults.add("throttled", operation=CANCEL, times=8)
    ids = order_ids(sandbox)
    assert (await run_one(sandbox, ids[0])).status == "confirmed"
    sandbox.faults.add("throttled", operation=CANCEL)
    outcome = await run_one(sandbox, ids[1], patience=10)
    assert outcome.status == "not_done"
    assert isinstance(outcome.error, RateLimitError)
    assert outcome.code == 36009002
    assert not sandbox.shop.orders[ids[1]].cancellations


async def test_a_used_up_quota_is_not_waited_for(sandbox: Sandbox, tmp_path: Path) -> None:
    """The order is left for another run, which finds nothing final in the journal."""
    journal = tmp_path / "cancellations.db"
    sandbox.faults.add("quota_exhausted", operation=CANCEL, times=1)
    order_id = order_ids(sandbox)[0]
    outcome = await run_one(sandbox, order_id, journal=journal)
    assert (outcome.status, outcome.code, outcome.attempts) == ("not_done", 36009037, 1)
    again = await run_one(sandbox, order_id, journal=journal)
    assert (again.status, again.resumed) == ("confirmed", False)


async def test_no_connection_is_no_outcome(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing was sent, and nothing is noted."""
    order_id, journal = order_ids(sandbox)[0], tmp_path / "cancellations.db"
    async with sandbox.client(
        base_url="http://127.0.0.1:9", transport=None, max_retries=0
    ) as client:
        batch = cancel_orders(client, [order_id], reason=PAID, patience=5, journal=journal)
        (outcome,) = [each async for each in batch]
    assert outcome.status == "not_done"
    assert isinstance(outcome.error, ConnectError)
    again = await run_one(sandbox, order_id, journal=journal)
    assert (again.status, again.resumed) == ("confirmed", False)


async def test_what_is_wrong_with_the_caller_is_not_final(sandbox: Sandbox, tmp_path: Path) -> None:
    """A scope that is missing is no word about the order."""
    journal = tmp_path / "cancellations.db"
    order_id = order_ids(sandbox)[0]
    async with sandbox.client(access_token=DEMO_ORDERS_ONLY_TOKEN) as client:
        batch = cancel_orders(client, [order_id], reason=PAID, journal=journal)
        (outcome,) = [each async for each in batch]
    assert outcome.status == "not_done"
    assert isinstance(outcome.error, PermissionDeniedError)
    assert (await run_one(sandbox, order_id, journal=journal)).status == "confirmed"


# What the shop says -------------------------------------------------------------------------------


@pytest.mark.parametrize("preflight", [True, False])
async def test_what_is_cancelled_already_is_told_from_what_is_refused(
    sandbox: Sandbox, preflight: bool
) -> None:
    """The code of the refusal is the same for both."""
    cancelled = order_ids(sandbox)[0]
    before = sandbox.shop.cancel(cancelled, PAID)
    gone = order_ids(sandbox, "IN_TRANSIT")[0]
    outcomes = await run(sandbox, [cancelled, gone, "42"], ordered=True, preflight=preflight)
    assert [each.status for each in outcomes] == ["already_cancelled", "refused", "refused"]
    assert outcomes[0].cancel_id == before.id
    assert all(each.message and each.hint for each in outcomes[1:])
    assert calls(sandbox)[CANCEL] == (0 if preflight else 3)


async def test_what_is_cancelled_is_so_whoever_cannot_be_asked_about_it(sandbox: Sandbox) -> None:
    """The order's status is enough; who did it is a detail."""
    order_id = order_ids(sandbox)[0]
    sandbox.shop.cancel(order_id, PAID)
    sandbox.faults.add("quota_exhausted", operation=SEARCH)
    outcome = await run_one(sandbox, order_id)
    assert (outcome.status, outcome.cancel_id) == ("already_cancelled", None)


async def test_a_buyers_request_is_named(sandbox: Sandbox) -> None:
    """The seller has to decide on it; another cancellation is refused."""
    order_id = order_ids(sandbox)[0]
    request = sandbox.shop.request_cancellation(order_id, BUYERS)
    outcome = await run_one(sandbox, order_id)
    assert outcome.status == "refused"
    assert request.id in (outcome.hint or "")


async def test_pending_is_not_confirmed() -> None:
    """Success of the call is not yet a cancelled order; it can be waited for."""
    async with shop_in_a_hurry(pending_share=1.0, pending_seconds=20) as sandbox:
        first, second, third = order_ids(sandbox)[:3]
        outcome = await run_one(sandbox, first)
        assert outcome.status == "pending"
        assert not outcome.succeeded
        assert (await run_one(sandbox, second, wait_for_pending=3)).status == "pending"
        outcome = await run_one(sandbox, third, wait_for_pending=300)
        assert (outcome.status, outcome.succeeded) == ("confirmed", True)


async def test_a_cancellation_that_is_pending_already_is_not_repeated() -> None:
    """It is told as what it is, with its id."""
    async with shop_in_a_hurry(pending_share=1.0, pending_seconds=9999) as sandbox:
        order_id = order_ids(sandbox)[0]
        before = sandbox.shop.cancel(order_id, PAID)
        outcome = await run_one(sandbox, order_id)
        assert (outcome.status, outcome.cancel_id) == ("pending", before.id)


async def test_orders_are_looked_up_fifty_at_a_time(sandbox: Sandbox) -> None:
    """The preflight costs a call for fifty orders, and may be left out."""
    ids = order_ids(sandbox)[:100]
    await run(sandbox, ids[:50], concurrency=50)
    assert calls(sandbox)[DETAIL] <= 3
    looked_up = calls(sandbox)[DETAIL]
    await run(sandbox, ids[50:], preflight=False)
    assert calls(sandbox)[DETAIL] == looked_up


# Parts --------------------------------------------------------------------------------------------


async def test_parts_are_cancelled_and_the_rest_is_kept(sandbox: Sandbox) -> None:
    """By line item or by SKU, as an object or as a mapping."""
    by_line, by_sku = (sandbox.shop.orders[each] for each in order_ids(sandbox, lines=3)[:2])
    line, sku = by_line.lines[1].id, by_sku.lines[0].sku.id
    orders = [
        OrderToCancel(by_line.id, None, [line]),
        {"order_id": by_sku.id, "skus": [{"sku_id": sku, "quantity": 1}], "reason": PAID},
    ]
    outcomes = await run(sandbox, orders, ordered=True)
    assert [each.status for each in outcomes] == ["confirmed", "confirmed"]
    assert outcomes[0].key == f"{by_line.id}:{line}"
    assert outcomes[1].key == f"{by_sku.id}:{sku}*1"
    assert [each.id for each in by_line.lines if each.cancelled] == [line]
    assert [each.sku.id for each in by_sku.lines if each.cancelled] == [sku]


@pytest.mark.parametrize("seed", range(4))
async def test_of_parts_nothing_more_and_nothing_less_is_cancelled(
    seed: int, tmp_path: Path
) -> None:
    """By line items and by SKUs, with faults, and with a run that is broken off on the way."""
    random = Random(seed)  # noqa: S311 - nothing secret
    async with shop_in_a_hurry(600, pending_share=0.0) as sandbox:
        for number, (fault, probability) in enumerate(FAULTS.items()):
            sandbox.faults.add(fault, operation=CANCEL, probability=probability, seed=number)
        shop_orders = [sandbox.shop.orders[each] for each in order_ids(sandbox, lines=2)]
        parts = [some_part(order, random) for order in shop_orders]
        journal = tmp_path / "cancellations.db"
        stop = len(parts) // 2
        await run(sandbox, parts, journal=journal, stop_on=lambda each: each.index == stop)
        outcomes = await run(sandbox, parts, journal=journal, ordered=True)
        for order, part, outcome in zip(shop_orders, parts, outcomes, strict=True):
            cancelled = [line for line in order.lines if line.cancelled]
            assert (outcome.status, len(order.cancellations)) == ("confirmed", 1), outcome
            if part.skus:
                assert Counter(line.sku.id for line in cancelled) == part.skus
            else:
                assert {line.id for line in cancelled} == set(part.order_line_item_ids)


FAULTS = {
    "lost_answer": 0.1,
    "reset_before": 0.1,
    "reset_after": 0.1,
    "throttled": 0.1,
    "internal_error": 0.05,
    "truncated_body": 0.05,
    "null_data": 0.05,
}


def some_part(order: Order, random: Random) -> OrderToCancel:
    lines = random.sample(order.lines, random.randint(1, len(order.lines)))
    if random.random() < 0.5:
        return OrderToCancel(order.id, None, [line.id for line in lines])
    return OrderToCancel(order.id, None, None, Counter(line.sku.id for line in lines))


async def test_a_unit_that_was_cancelled_is_not_cancelled_again_by_its_sku(
    sandbox: Sandbox,
) -> None:
    """SKUs are sent as line items: whatever is sent twice cancels nothing twice."""
    order = next(
        order
        for order in sandbox.shop.orders.values()
        if order.status == "AWAITING_SHIPMENT" and max(skus_of(order).values()) > 1
    )
    sku = skus_of(order).most_common(1)[0][0]
    part = OrderToCancel(order.id, None, None, {sku: 1})
    sandbox.faults.add("lost_answer", operation=CANCEL)
    assert (await run_one(sandbox, part)).status == "confirmed"
    assert sum(line.cancelled for line in order.lines) == 1
    sandbox.faults.clear()
    assert (await run_one(sandbox, part)).status == "confirmed"  # it is wanted a second time
    assert sum(line.cancelled for line in order.lines) == 2


async def test_parts_of_one_order_do_not_get_the_same_units() -> None:
    """Two parts with equal units, at the same time."""
    async with shop_in_a_hurry(1000, pending_share=0.0) as sandbox:
        order = next(
            order
            for order in sandbox.shop.orders.values()
            if order.status == "AWAITING_SHIPMENT" and sorted(skus_of(order).values()) == [1, 2]
        )
        (twice, _), (once, _) = skus_of(order).most_common()
        parts = [
            OrderToCancel(order.id, None, None, wanted)
            for wanted in ({twice: 1}, {twice: 1, once: 1})
        ]
        outcomes = await run(sandbox, parts)
        assert [each.status for each in outcomes] == ["confirmed", "confirmed"]
        assert order.status == "CANCELLED"


def skus_of(order: Order) -> Counter[str]:
    return Counter(line.sku.id for line in order.lines)


async def test_more_than_there_is_gets_the_services_refusal(sandbox: Sandbox) -> None:
    """And so do line items that the order does not have."""
    first, second = order_ids(sandbox, lines=2)[:2]
    sku = sandbox.shop.orders[first].lines[0].sku.id
    parts = [OrderToCancel(first, None, None, {sku: 9}), OrderToCancel(second, None, ["7"])]
    outcomes = await run(sandbox, parts)
    assert {(each.status, each.code) for each in outcomes} == {("refused", 25001003)}


async def test_units_that_cannot_be_named_are_not_sent_again(sandbox: Sandbox) -> None:
    """Were they cancelled after all, a second request would cancel other ones."""
    order = sandbox.shop.orders[order_ids(sandbox)[0]]
    sandbox.faults.add("reset_before", operation=CANCEL)
    outcome = await run_one(
        sandbox, OrderToCancel(order.id, None, None, {order.lines[0].sku.id: 9})
    )
    assert (outcome.status, outcome.attempts) == ("not_done", 1)


async def test_line_items_that_are_cancelled_are_told_as_such(sandbox: Sandbox) -> None:
    """Without sending anything."""
    order = sandbox.shop.orders[order_ids(sandbox, lines=2)[0]]
    part = OrderToCancel(order.id, None, [order.lines[0].id])
    await run_one(sandbox, part)
    outcome = await run_one(sandbox, part)
    assert (outcome.status, outcome.attempts) == ("already_cancelled", 0)


# The batch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_journal", [True, False])
async def test_what_comes_twice_is_sent_once(
    sandbox: Sandbox, with_journal: bool, tmp_path: Path
) -> None:
    """And told; a part in another order of its line items is the same."""
    order = sandbox.shop.orders[order_ids(sandbox, lines=2)[0]]
    lines = [line.id for line in order.lines]
    orders = [OrderToCancel(order.id, None, each) for each in (lines, lines[::-1], lines)]
    journal = tmp_path / "cancellations.db" if with_journal else None
    outcomes = await run(sandbox, orders, journal=journal)
    assert sorted(each.status for each in outcomes) == ["confirmed", "duplicate", "duplicate"]
    assert calls(sandbox)[CANCEL] == 1


async def test_a_batch_can_be_stopped_and_gone_on_with(sandbox: Sandbox, tmp_path: Path) -> None:
    """With the journal, the rest of the input is what is left of it."""
    journal, ids = tmp_path / "cancellations.db", order_ids(sandbox)[:60]

    async def source() -> AsyncIterator[str]:
        for order_id in ids:
            yield order_id

    async with sandbox.client() as client:
        batch = cancel_orders(
            client,
            source(),
            reason=PAID,
            journal=journal,
            concurrency=5,
            stop_on=lambda outcome: outcome.index == 10,
        )
        first = [each async for each in batch]
    assert 10 < len(first) < 30
    rest = await run(sandbox, ids, journal=journal)
    assert {each.order_id for each in rest if each.resumed} == {each.order_id for each in first}
    assert untruths(sandbox, rest) == []


@pytest.mark.parametrize("steps", range(0, 60, 4))
async def test_a_cancelled_batch_loses_nothing(steps: int, tmp_path: Path) -> None:
    """At whatever step its task is cancelled: the next run ends with the truth."""
    async with shop_in_a_hurry(60, latency=0.02) as sandbox:
        sandbox.faults.add("lost_answer", operation=CANCEL, every=4)
        sandbox.faults.add("reset_before", operation=CANCEL, every=5)
        ids, journal = order_ids(sandbox)[:30], tmp_path / "cancellations.db"
        seen: list[CancelOutcome] = []

        async def first_run() -> None:
            async with (
                sandbox.client() as client,
                cancel_orders(
                    client, ids, reason=PAID, journal=journal, concurrency=10, drain=0.01
                ) as batch,
            ):
                async for outcome in batch:
                    seen.append(outcome)  # noqa: PERF401 - those before the end, too

        running = asyncio.create_task(first_run())
        for _ in range(steps):
            await asyncio.sleep(0.005)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        outcomes = await run(sandbox, ids, journal=journal)
        assert untruths(sandbox, outcomes) == []
        known = facts(outcomes)
        assert all(known[order_id] == fact for order_id, fact in facts(seen).items())


async def test_bad_input_from_a_generator_ends_the_batch_after_those_in_flight(
    sandbox: Sandbox,
) -> None:
    """It cannot be read before; nothing that was begun is lost."""
    ids = order_ids(sandbox)[:3]
    seen: list[CancelOutcome] = []
    async with sandbox.client() as client:
        batch = cancel_orders(client, (each for each in [*ids, {"id": "1"}]), reason=PAID)
        with pytest.raises(InvalidArgumentError):  # noqa: PT012 - it is the loop that raises
            async for outcome in batch:
                seen.append(outcome)  # noqa: PERF401 - those before the end, too
    assert sorted(each.order_id for each in seen) == sorted(ids)


async def test_what_was_pending_in_the_journal_can_be_waited_for(tmp_path: Path) -> None:
    """The next run looks how it is by now."""
    journal = tmp_path / "cancellations.db"
    async with shop_in_a_hurry(pending_share=1.0, pending_seconds=20) as sandbox:
        order_id = order_ids(sandbox)[0]
        assert (await run_one(sandbox, order_id, journal=journal)).status == "pending"
        assert (await run_one(sandbox, order_id, journal=journal)).status == "pending"
        again = await run_one(sandbox, order_id, journal=journal, wait_for_pending=300)
        assert (again.status, again.resumed) == ("confirmed", True)
        assert calls(sandbox)[CANCEL] == 1


async def test_a_batch_that_ends_while_it_waits_for_a_pending_one_sends_it_once(
    tmp_path: Path,
) -> None:
    """It was accepted: whatever ends the wait, the next run looks and does not send it again."""
    journal, waits = tmp_path / "cancellations.db", asyncio.Event()

    async def sleep(_: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    async def consume() -> None:
        options: dict[str, Any] = {"journal": journal, "wait_for_pending": 300, "drain": 0.0}
        async with sandbox.client(sleep=sleep) as client:
            async for _ in cancel_orders(client, [order_id], reason=PAID, **options):
                pass

    async with a_shop(pending_share=1.0, pending_seconds=9999) as sandbox:
        order_id = order_ids(sandbox)[0]
        task = asyncio.create_task(consume())
        await waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        again = await run_one(sandbox, order_id, journal=journal)
        assert again.status == "pending"
        assert calls(sandbox)[CANCEL] == 1


async def test_a_closed_client_ends_the_batch(sandbox: Sandbox) -> None:
    """It would befall all others, too."""
    client = sandbox.client()
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await anext(cancel_orders(client, order_ids(sandbox), reason=PAID))


@pytest.mark.parametrize(
    ("orders", "options", "argument"),
    [
        (["1", ""], {}, "order_id"),
        ([1.5], {}, "orders"),
        ("123", {}, "orders"),
        ({"order_id": "1"}, {}, "orders"),
        ([{"id": "1"}], {}, "orders"),
        ([{"order_id": "1", "sku": {}}], {}, "orders"),
        ([{"order_id": "1", "skus": {"2": 0}}], {}, "skus"),
        ([{"order_id": "1", "skus": [{"id": "2"}]}], {}, "skus"),
        ([{"order_id": "1", "skus": {"2": 1}, "order_line_item_ids": ["3"]}], {}, "skus"),
        ([{"order_id": "1", "order_line_item_ids": "3"}], {}, "order_line_item_ids"),
        ([{"order_id": "1", "order_line_item_ids": []}], {}, "order_line_item_ids"),
        ([{"order_id": "1", "skus": {}}], {}, "skus"),
        ([{"order_id": "1", "skus": []}], {}, "skus"),
        ([{"order_id": "1", "skus": [{"sku_id": "2", "quantity": "3"}]}], {}, "skus"),
        (["1"], {"reason": None}, "reason"),
        (["1"], {"settle": -1}, "settle"),
        (["1"], {"concurrency": 0}, "concurrency"),
    ],
)
async def test_bad_input_is_refused_before_anything_is_sent(
    orders: Any, options: dict[str, Any], argument: str
) -> None:
    """A list is read before the first order is sent."""
    async with new_client() as client:
        with pytest.raises(InvalidArgumentError) as caught:
            cancel_orders(client, orders, **{"reason": PAID, **options})
    assert caught.value.argument == argument


@pytest.mark.parametrize("count", [2, 3, 50])
async def test_orders_whose_first_answer_is_lost_do_not_hang(sandbox: Sandbox, count: int) -> None:
    """All are looked up at once; in process the look-ups of one end as the next one asks."""
    sandbox.faults.add("lost_answer", operation=CANCEL, times=count)
    async with asyncio.timeout(20):
        outcomes = await run(sandbox, order_ids(sandbox)[:count])
    assert {each.status for each in outcomes} == {"confirmed"}
    assert untruths(sandbox, outcomes) == []
    assert calls(sandbox)[CANCEL] == count


@pytest.mark.parametrize("empty", [[], (), iter(())])
def test_an_empty_selection_is_no_whole_order(empty: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="must not be empty"):
        OrderToCancel("1", order_line_item_ids=empty)
    with pytest.raises(InvalidArgumentError, match="must not be empty"):
        OrderToCancel("1", skus=empty)


def test_an_order_without_a_selection_is_whole_and_can_be_changed_and_pickled() -> None:
    whole = OrderToCancel("1", order_line_item_ids=None, skus=None)
    assert whole == attrs.evolve(whole, reason=None) == pickle.loads(pickle.dumps(whole))  # noqa: S301 - our own
    assert whole.is_whole
    assert (whole.order_line_item_ids, whole.skus) == ((), {})


def test_an_id_may_be_an_integer() -> None:
    """As it may for the operations: both are one order, in the journal too."""
    number: Any = 576461413263099400
    seven: Any = 7
    assert OrderToCancel.of(number) == OrderToCancel.of(str(number))
    assert OrderToCancel(number).key == str(number)
    assert OrderToCancel("1", order_line_item_ids=[seven]).order_line_item_ids == ("7",)
    assert OrderToCancel("1", skus={seven: 2}).skus == {"7": 2}
    assert OrderToCancel("1", skus=[{"sku_id": seven, "quantity": 2}]).skus == {"7": 2}


@pytest.mark.parametrize("given", [True, 5.764e17, b"7", None, ""])
def test_what_is_no_id_is_rejected_with_what_is_accepted(given: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="an integer"):
        OrderToCancel.of(given)


async def test_an_order_named_by_text_and_by_an_integer_is_cancelled_once(
    sandbox: Sandbox,
) -> None:
    order_id = order_ids(sandbox)[0]
    outcomes = await run(sandbox, [int(order_id), order_id])
    assert [outcome.order_id for outcome in outcomes] == [order_id, order_id]
    assert calls(sandbox)[CANCEL] == 1
    assert sandbox.shop.orders[order_id].status == "CANCELLED"
