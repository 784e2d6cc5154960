"""The engine: bounded, complete, in order if asked, and nothing lost in the end."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiktok_shop_async import InvalidArgumentError
from tiktok_shop_async.batch import drive
from tiktok_shop_async.batch.engine import Engine


async def slowly(items: list[int], pauses: random.Random) -> AsyncIterator[int]:
    for item in items:
        for _ in range(pauses.randrange(3)):
            await asyncio.sleep(0)
        yield item


@given(
    count=st.integers(0, 60),
    concurrency=st.integers(1, 12),
    ordered=st.booleans(),
    is_async=st.booleans(),
    seed=st.integers(0, 2**32),
    failing=st.sets(st.integers(0, 60), max_size=2),
)
@settings(max_examples=150)
def test_each_item_has_one_result(
    count: int, concurrency: int, ordered: bool, is_async: bool, seed: int, failing: set[int]
) -> None:
    """Whatever the delays: never more at once than asked, and an error costs no other's result."""
    chance = random.Random(seed)  # noqa: S311
    begun: list[int] = []
    active = most = 0

    async def work(index: int, item: int) -> int:
        nonlocal active, most
        assert index == item
        begun.append(item)
        active += 1
        most = max(most, active)
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        active -= 1
        if item in failing:
            raise ZeroDivisionError(item)
        return item

    async def run() -> None:
        items = list(range(count))
        source: Any = slowly(items, chance) if is_async else items
        engine: Engine[int, int] = Engine(concurrency=concurrency, ordered=ordered)
        results: list[int] = []
        try:
            await take(engine.results(work, source), results, lambda: chance.randrange(3))
        except ZeroDivisionError:
            assert failing & set(begun)
        else:
            assert not failing & set(items)
            assert sorted(results) == items
        assert begun == items[: len(begun)]
        assert sorted([*results, *engine.unfinished]) == begun
        assert set(engine.unfinished) == failing & set(begun)
        assert results == sorted(results) or not ordered
        assert engine.undelivered == []
        assert most <= concurrency

    asyncio.run(run())


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_slow_consumer_holds_the_source_back(ordered: bool) -> None:
    """Twice the concurrency at most are read and not taken, however many there are."""
    read = 0

    def endless() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    async with aclosing(drive(identity, endless(), concurrency=5, ordered=ordered)) as results:
        for taken in range(1, 20):
            await anext(results)
            for _ in range(50):
                await asyncio.sleep(0)
            assert read <= taken + 10


async def identity(index: int, item: Any) -> Any:
    return item


async def take(
    source: AsyncIterator[Any], results: list[Any], pauses: Callable[[], int] = lambda: 0
) -> None:
    async for result in source:
        results.append(result)
        for _ in range(pauses()):
            await asyncio.sleep(0)


async def test_an_error_of_the_source_comes_after_the_results() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise LookupError("no more")

    results: list[int] = []
    with pytest.raises(LookupError, match="no more"):
        await take(drive(identity, broken(), concurrency=5), results)
    assert sorted(results) == [1, 2]


async def test_what_is_cancelled_from_outside_is_an_error() -> None:
    """Not the end of the input, and not a cancellation of who takes the results."""

    async def cancelled() -> AsyncIterator[int]:
        yield 1
        raise asyncio.CancelledError

    results: list[int] = []
    with pytest.raises(RuntimeError, match="reading the items was cancelled"):
        await take(drive(identity, cancelled(), concurrency=5), results)
    assert results == [1]

    async def work(index: int, item: int) -> int:
        if item == 2:
            raise asyncio.CancelledError
        return item

    engine: Engine[int, int] = Engine(concurrency=5)
    with pytest.raises(RuntimeError, match="item 1 was cancelled"):
        assert [each async for each in engine.results(work, [1, 2])] == [1]
    assert engine.unfinished == [2]


async def test_closing_drains_what_is_in_flight() -> None:
    """It gets its time; nothing new starts; the source is closed."""
    go, closed, begun = asyncio.Event(), False, []

    async def source() -> AsyncIterator[int]:
        nonlocal closed
        try:
            for number in range(100):
                yield number
        finally:
            closed = True

    async def work(index: int, item: int) -> int:
        begun.append(item)
        if item:
            await go.wait()
        return item

    engine: Engine[int, int] = Engine(concurrency=4)
    results = engine.results(work, source())
    assert await anext(results) == 0
    for _ in range(5):
        await asyncio.sleep(0)
    before = list(begun)
    closing = asyncio.create_task(results.aclose())
    await asyncio.sleep(0)
    go.set()
    await closing
    assert closed
    assert begun == before
    assert sorted(engine.undelivered) == before[1:]
    assert engine.unfinished == []


async def test_what_does_not_finish_in_time_is_cancelled_and_counted() -> None:
    async def work(index: int, item: int) -> int:
        if item:
            await asyncio.Event().wait()
        return item

    engine: Engine[int, int] = Engine(concurrency=4, drain=0)
    async with aclosing(engine.results(work, range(100))) as results:
        assert await anext(results) == 0
        in_flight = engine.in_flight
    assert in_flight
    assert len(engine.unfinished) == in_flight
    assert engine.in_flight == 0


async def test_results_that_are_dropped_are_drained_too() -> None:
    """``break`` without a block: the event loop closes what nobody refers to any more."""
    finished = []

    async def work(index: int, item: int) -> int:
        await asyncio.sleep(0)
        finished.append(item)
        return item

    async for _ in drive(work, range(100), concurrency=4):
        break
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)
    assert finished == list(range(len(finished)))
    assert len(finished) < 20
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("drain", [0.0, 5.0])
async def test_cancelled_at_any_step_nothing_is_lost(ordered: bool, drain: float) -> None:
    """What was begun has a result, taken or not, or is unfinished; compared with what was done."""
    step, ended_by_itself = 0, False
    while not ended_by_itself:
        step += 1
        begun: list[int] = []
        done: list[int] = []

        async def work(
            index: int, item: int, begun: list[int] = begun, done: list[int] = done
        ) -> int:
            begun.append(item)
            for _ in range(item % 3):
                await asyncio.sleep(0)
            done.append(item)
            await asyncio.sleep(0)
            return item

        engine: Engine[int, int] = Engine(concurrency=3, ordered=ordered, drain=drain)
        taken: list[int] = []

        async def consume(
            engine: Engine[int, int] = engine, work: Any = work, taken: list[int] = taken
        ) -> None:
            source = slowly(list(range(8)), random.Random(1))  # noqa: S311
            async with aclosing(engine.results(work, source)) as results:
                async for result in results:
                    taken.append(result)
                    await asyncio.sleep(0)

        consumer = asyncio.create_task(consume())
        for _ in range(step):
            await asyncio.sleep(0)
        ended_by_itself = not consumer.cancel()
        with suppress(asyncio.CancelledError):
            await consumer
        known = taken + engine.undelivered
        assert sorted([*known, *engine.unfinished]) == sorted(begun)
        assert set(known) <= set(done)
        if drain:
            assert engine.unfinished == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert step > 10


async def test_who_waits_for_long_lets_another_have_the_place() -> None:
    go, order = asyncio.Event(), []

    async def work(index: int, item: int) -> int:
        if item == 0:
            async with engine.release_slot():
                await go.wait()
        order.append(item)
        if item == 3:
            go.set()
        return item

    engine: Engine[int, int] = Engine(concurrency=1)
    async with asyncio.timeout(5):
        assert sorted([each async for each in engine.results(work, range(6))]) == list(range(6))
    assert order.index(0) > order.index(3)


def test_a_concurrency_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="concurrency"):
        Engine(concurrency=0)
