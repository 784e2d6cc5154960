"""How a batch ends, by its user's functions, by another task or by its input: nothing hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from helpers.batch.shops import CANCEL, PAID, calls, order_ids, shop_in_a_hurry

from tiktok_shop_async import InvalidArgumentError, TikTokShopError
from tiktok_shop_async.batch import (
    Batch,
    Outcome,
    Progress,
    Record,
    SQLJournal,
    cancel_orders,
    run_batch,
)

Request = Mapping[str, Any]


async def double(*, number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def numbers(count: int) -> list[dict[str, int]]:
    return [{"number": number} for number in range(count)]


async def take(batch: Batch[Outcome[Any]]) -> list[Any]:
    return [outcome.response async for outcome in batch]


# The user's functions -----------------------------------------------------------------------------


@pytest.mark.parametrize("with_journal", [True, False])
async def test_an_error_of_key_is_raised_after_the_outcomes_and_unfinished_can_be_asked(
    tmp_path: Path, with_journal: bool
) -> None:
    """It is an error of the input: nothing new starts, and nothing hangs."""

    def key(request: Request) -> str:
        if request["number"] == 7:
            raise LookupError("no such column")
        return str(request["number"])

    journal = tmp_path / "journal.db" if with_journal else None
    batch = run_batch(double, numbers(1000), key=key, journal=journal, concurrency=3)
    seen: list[Any] = []
    async with asyncio.timeout(5):
        with pytest.raises(LookupError, match="no such column"):  # noqa: PT012 - the loop raises
            async for outcome in batch:
                seen.append(outcome.response)  # noqa: PERF401 - those before the error count
    assert {2 * number for number in range(7)} <= {*seen}
    assert len(seen) < 20
    unfinished = {each.request["number"]: each.key for each in batch.unfinished}
    assert unfinished[7] is None
    assert all(key == str(number) for number, key in unfinished.items() if number != 7)


async def test_what_progress_raises_is_logged_and_the_batch_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_: Progress) -> None:
        raise ZeroDivisionError

    async with asyncio.timeout(5):
        outcomes = await take(run_batch(double, numbers(30), progress=broken))
    assert sorted(outcomes) == [2 * number for number in range(30)]
    assert "progress failed" in caplog.text


async def test_progress_may_be_a_coroutine_function() -> None:
    told: list[Progress] = []

    async def note(progress: Progress) -> None:
        await asyncio.sleep(0)
        told.append(progress)

    await take(run_batch(double, numbers(30), progress=note))
    assert told[-1].done == 30


async def test_an_outcome_is_not_lost_in_a_progress_that_hangs() -> None:
    """It is there when the batch is closed, also if its notification is cut off."""

    told: list[Progress] = []

    async def hang(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 1:
            await asyncio.Event().wait()

    batch = run_batch(double, numbers(1), progress=hang, drain=0)
    taking = asyncio.create_task(take(batch))
    await asyncio.sleep(0.01)
    taking.cancel()
    await asyncio.wait([taking])
    assert [each.response for each in batch.undelivered] == [0]
    assert batch.unfinished == []


@pytest.mark.parametrize("name", ["key", "stop_on"])
async def test_functions_that_decide_must_be_plain_functions(name: str) -> None:
    """A coroutine would count as true, and as no key."""

    async def decide(_: object) -> str:
        return "1"

    for wrong in (decide, 5):
        with pytest.raises(InvalidArgumentError) as caught:
            run_batch(double, numbers(1), **{name: wrong})  # type: ignore[arg-type]
        assert caught.value.argument == name
    with pytest.raises(InvalidArgumentError):
        run_batch(double, numbers(1), progress=5)  # type: ignore[arg-type]


# Another task -------------------------------------------------------------------------------------


class Slow:
    """Calls that end when a test lets them."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun: list[int] = []

    async def __call__(self, *, number: int) -> int:
        self.begun.append(number)
        if number:
            await self.go.wait()
        return number


@pytest.mark.parametrize("with_journal", [True, False])
async def test_another_task_can_close_a_batch(tmp_path: Path, with_journal: bool) -> None:
    """The iteration ends as at the end of the input; what was in flight has its time."""
    slow = Slow()
    journal = tmp_path / "journal.db" if with_journal else None
    batch = run_batch(
        slow.__call__,
        numbers(100),
        concurrency=3,
        key=lambda each: str(each["number"]),
        journal=journal,
    )
    taking = asyncio.create_task(take(batch))
    while len(slow.begun) < 4:  # noqa: ASYNC110 - nothing tells when
        await asyncio.sleep(0.001)
    closing = [asyncio.create_task(batch.aclose()) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert not any(each.done() for each in closing)
    slow.go.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*closing)
        taken = await taking
    assert taken == [0]
    assert len(slow.begun) == 4
    assert sorted(each.response for each in batch.undelivered) == [1, 2, 3]
    assert batch.unfinished == []
    with pytest.raises(StopAsyncIteration):
        await anext(batch)
    await batch.aclose()


async def test_who_asks_for_an_outcome_while_a_batch_is_closed_gets_the_end() -> None:
    slow = Slow()
    batch = run_batch(slow.__call__, numbers(100), concurrency=3)
    assert (await anext(batch)).response == 0
    closing = asyncio.create_task(batch.aclose())
    await asyncio.sleep(0)
    taking = asyncio.create_task(take(batch))
    await asyncio.sleep(0.01)
    slow.go.set()
    async with asyncio.timeout(5):
        await closing
        assert await taking == []


async def test_a_batch_is_closed_before_it_began() -> None:
    batch = run_batch(double, numbers(3))
    await batch.aclose()
    assert await take(batch) == []


async def test_two_tasks_cannot_take_outcomes_at_once() -> None:
    slow = Slow()
    batch = run_batch(slow.__call__, [{"number": 1}])
    taking = asyncio.create_task(take(batch))
    await asyncio.sleep(0.01)
    with pytest.raises(TikTokShopError, match="another task"):
        await anext(batch)
    slow.go.set()
    assert await taking == [1]


# The input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("end", ["closed", "used up", "failed"])
async def test_a_generator_is_closed_when_nothing_more_is_read(end: str, is_async: bool) -> None:
    """Not when nobody refers to it any more: it may hold a file or a cursor."""
    closed = False
    count = 3 if end == "used up" else 1000

    def plain() -> Iterator[dict[str, int]]:
        nonlocal closed
        try:
            yield from numbers(count)
        finally:
            closed = True

    async def asynchronous() -> AsyncIterator[dict[str, int]]:
        nonlocal closed
        try:
            for each in numbers(count):
                yield each
        finally:
            closed = True

    async def call(*, number: int) -> int:
        if end == "failed" and number == 5:
            raise ZeroDivisionError
        return await double(number=number)

    source = asynchronous() if is_async else plain()
    batch = run_batch(call, source, concurrency=3)
    with suppress(ZeroDivisionError):
        async with batch:
            async for _ in batch:
                if end == "closed":
                    break
    assert closed
    del source


# Another process ----------------------------------------------------------------------------------


async def test_waiting_for_anothers_lease_is_told_to_progress(tmp_path: Path) -> None:
    """So that somebody who resumes a batch sees why nothing moves."""
    told: list[Progress] = []
    async with (
        SQLJournal(tmp_path / "journal.db", lease=30) as journal,
        journal.open() as elsewhere,
    ):
        await elsewhere.claim("0")
        await elsewhere.claim("1")
        batch = run_batch(
            double,
            numbers(3),
            key=lambda each: str(each["number"]),
            journal=journal,
            progress=told.append,
        )
        taking = asyncio.create_task(take(batch))
        async with asyncio.timeout(5):
            while not told or told[-1].waiting < 2:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.01)
        assert batch.progress.waiting == 2
        for key in ("0", "1"):
            await elsewhere.finish(Record(key=key, status="succeeded"))
        await taking
    assert told[-1].waiting == 0
    assert told[-1].counts == {"succeeded": 3}


async def test_a_pending_cancellation_of_the_journal_is_looked_up_at_once(tmp_path: Path) -> None:
    """It may have been decided long ago, so nobody waits for the first poll."""
    journal = tmp_path / "journal.db"
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    async def run(**options: Any) -> str:
        async with sandbox.client(sleep=sleep) as client:
            batch = cancel_orders(client, [order_id], reason=PAID, journal=journal, **options)
            (outcome,) = [each async for each in batch]
            assert outcome.resumed or not options
            return outcome.status

    async with shop_in_a_hurry(pending_share=1.0, pending_seconds=20) as sandbox:
        order_id = order_ids(sandbox)[0]
        assert await run() == "pending"
        sandbox.clock.advance(60)
        assert await run(wait_for_pending=300) == "confirmed"
        assert waits == []
        assert calls(sandbox)[CANCEL] == 1


async def test_a_pending_cancellation_without_an_id_is_looked_up_too(tmp_path: Path) -> None:
    """The order's own records tell whether it is decided."""
    async with (
        shop_in_a_hurry(pending_share=1.0, pending_seconds=20) as sandbox,
        sandbox.client() as client,
        SQLJournal(tmp_path / "journal.db") as journal,
    ):
        order_id = order_ids(sandbox)[0]
        made = sandbox.shop.cancel(order_id, PAID)
        async with journal.open() as session:
            await session.claim(order_id)
            await session.finish(Record(key=order_id, status="pending"))
        batch = cancel_orders(
            client, [order_id], reason=PAID, journal=journal, wait_for_pending=300
        )
        (outcome,) = [each async for each in batch]
        assert (outcome.status, outcome.cancel_id) == ("confirmed", made.id)
        assert calls(sandbox)[CANCEL] == 0
