"""The engine of batches: bounded concurrency over unbounded input, without losing a result."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeAlias, TypeVar

from .._internal.argument_checks import check_integer

Item = TypeVar("Item")
R = TypeVar("R")

Source: TypeAlias = Iterable[Item] | AsyncIterable[Item]
Work: TypeAlias = Callable[[int, Item], Coroutine[Any, Any, R]]

DRAIN = 30.0
"""Seconds that work in flight has to finish after a batch is closed early."""
GRACE = 5.0
"""Seconds that cancelled work has to record its state."""
_NOTHING: Any = object()


def drive(
    work: Work[Item, R],
    items: Source[Item],
    *,
    concurrency: int,
    ordered: bool = False,
    drain: float = DRAIN,
) -> AsyncGenerator[R, None]:
    """Yield the results of ``work(index, item)``, as they finish or in the order of the items."""
    engine: Engine[Item, R] = Engine(concurrency=concurrency, ordered=ordered, drain=drain)
    return engine.results(work, items)


class Engine(Generic[Item, R]):
    """An engine that runs work for items with bounded concurrency while results are consumed.

    It reads an item when there is room for it: at most ``concurrency`` items are in flight, and at
    most twice as many are in flight or have a result that was not consumed yet. After an error of
    the source or of the work no new item starts; the error is raised after the results of the items
    in flight.
    """

    def __init__(self, *, concurrency: int, ordered: bool = False, drain: float = DRAIN) -> None:
        check_integer(concurrency, "concurrency", minimum=1)
        self._drain = drain
        self._slots = asyncio.Semaphore(concurrency)
        self._room = asyncio.Semaphore(2 * concurrency)
        self._in_flight: dict[Task[R], tuple[int, Item]] = {}
        self._without_slot: set[Task[R]] = set()
        self._results: _Results[R] = _OrderedResults() if ordered else _UnorderedResults()
        self._feeder: Task[None] | None = None
        """Reads the items and starts their work."""
        self._is_stopped = self._is_closed = False
        self._error: BaseException | None = None
        self._further_errors = 0
        self._change: asyncio.Future[None] | None = None
        """Resolved when there may be a result to yield, or nothing left to wait for."""
        self.unfinished: list[Item] = []
        """Items that were started and have no result: cancelled, or failed unexpectedly."""

    @property
    def in_flight(self) -> int:
        """The number of items in flight."""
        return len(self._in_flight)

    @property
    def undelivered(self) -> list[R]:
        """The results that were not consumed."""
        return self._results.remaining()

    async def results(self, work: Work[Item, R], items: Source[Item]) -> AsyncGenerator[R, None]:
        """Run the work and yield its results; closing the generator early drains the engine."""
        self._feeder = asyncio.create_task(self._feed(work, items))
        self._feeder.add_done_callback(self._feeder_ended)
        results = self._results
        try:
            while True:
                while (result := results.next()) is not _NOTHING:
                    self._room.release()
                    yield result
                if self._is_closed or (self._feeder is None and not self._in_flight):
                    break
                self._change = asyncio.get_running_loop().create_future()
                await self._change
        finally:
            self.stop()
            if self._feeder is not None or self._in_flight:
                await self._finish_or_cancel()
        if self._error is not None:
            if self._further_errors:
                self._error.add_note(f"{self._further_errors} more items failed unexpectedly.")
            raise self._error

    def stop(self) -> None:
        """Start no new item; the results of the items in flight are still yielded."""
        self._is_stopped = True
        if self._feeder is not None:
            self._feeder.cancel()

    def close(self) -> None:
        """End the iteration of the results from any task, as closing the generator does."""
        self._is_closed = True
        self._notify()

    def fail(self, error: BaseException) -> None:
        """Start no new item, and raise ``error`` after the results of the items in flight."""
        if self._error is None:
            self._error = error
        else:
            self._further_errors += 1
        self.stop()

    @asynccontextmanager
    async def release_slot(self) -> AsyncIterator[None]:
        """Lend the slot of the current item to another one during a long wait."""
        task: Any = asyncio.current_task()
        self._without_slot.add(task)
        self._slots.release()
        try:
            yield
        finally:
            await self._slots.acquire()
            self._without_slot.discard(task)

    async def _feed(self, work: Work[Item, R], items: Source[Item]) -> None:
        """Start the work of one item after another, each as soon as it has a slot."""
        room, slots, in_flight = self._room, self._slots, self._in_flight
        done, create_task = self._work_ended, asyncio.create_task
        is_async, read, close = _reader_of(items)
        index, has_slot = 0, False
        try:
            while True:
                await room.acquire()
                has_slot = await slots.acquire()
                item = read()
                if is_async:
                    item = await item
                if item is _NOTHING:
                    return
                if self._is_stopped:
                    self.unfinished.append(item)
                    return
                task = create_task(work(index, item))
                in_flight[task] = (index, item)
                task.add_done_callback(done)
                has_slot = False  # the task has it now
                index += 1
        finally:
            if has_slot:
                slots.release()  # an item that lent its slot may be waiting for one
            await close()

    def _feeder_ended(self, feeder: Task[None]) -> None:
        self._feeder = None
        error: BaseException | None = None
        if not feeder.cancelled():
            error = feeder.exception()
        elif not self._is_stopped:
            error = _cancelled_from_outside("reading the items")
        if error is not None:
            self.fail(error)
        self._notify()

    def _work_ended(self, task: Task[R]) -> None:
        started = self._in_flight.pop(task, None)
        if task in self._without_slot:
            self._without_slot.discard(task)  # cancelled while another item had its slot
        else:
            self._slots.release()
        if started is None:
            return  # `_finish_or_cancel` did not wait for it any longer
        index, item = started
        error = None if task.cancelled() else task.exception()
        if not task.cancelled() and error is None:
            self._results.add(index, task.result())
        else:
            self.unfinished.append(item)
            self._results.skip(index)
            self._room.release()
            if task.cancelled() and not self._is_stopped:
                error = _cancelled_from_outside(f"item {index}")
            if error is not None:
                self.fail(error)
        self._notify()

    def _notify(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    async def _finish_or_cancel(self) -> None:
        """Wait for the items in flight, cancel those that take too long, and record them."""
        try:
            await self._wait_for_tasks(self._drain)
        finally:
            for task in self._in_flight:
                task.cancel()
            try:
                await self._wait_for_tasks(GRACE)
            finally:
                self.unfinished.extend(item for _, item in self._in_flight.values())
                self._in_flight.clear()

    async def _wait_for_tasks(self, timeout: float) -> None:  # noqa: ASYNC109 - it does not raise
        tasks = {*self._in_flight, *([self._feeder] if self._feeder else [])}
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)


class _Results(Generic[R]):
    """Results that were not consumed yet."""

    def add(self, index: int, result: R) -> None:
        raise NotImplementedError

    def skip(self, index: int) -> None:
        """Expect no result for ``index``."""

    def next(self) -> R:
        """Remove and return the next result, or return `_NOTHING`."""
        raise NotImplementedError

    def remaining(self) -> list[R]:
        raise NotImplementedError


class _UnorderedResults(_Results[R]):
    def __init__(self) -> None:
        self._results: deque[R] = deque()

    def add(self, index: int, result: R) -> None:
        self._results.append(result)

    def next(self) -> R:
        result: R = self._results.popleft() if self._results else _NOTHING
        return result

    def remaining(self) -> list[R]:
        return list(self._results)


class _OrderedResults(_Results[R]):
    def __init__(self) -> None:
        self._results: dict[int, R] = {}
        self._skipped: set[int] = set()
        self._next = 0

    def add(self, index: int, result: R) -> None:
        self._results[index] = result

    def skip(self, index: int) -> None:
        self._skipped.add(index)

    def next(self) -> R:
        while self._next in self._skipped:
            self._skipped.discard(self._next)
            self._next += 1
        if self._next not in self._results:
            nothing: R = _NOTHING
            return nothing
        self._next += 1
        return self._results.pop(self._next - 1)

    def remaining(self) -> list[R]:
        return [self._results[index] for index in sorted(self._results)]


def _cancelled_from_outside(action: str) -> RuntimeError:
    """Return the error to raise; a `CancelledError` would look like one of the consumer."""
    return RuntimeError(f"{action} was cancelled from outside the batch")


def _reader_of(
    items: Source[Any],
) -> tuple[bool, Callable[[], Any], Callable[[], Awaitable[None]]]:
    """Return whether reads must be awaited, and functions that read the next item and close."""
    if isinstance(items, AsyncIterable):
        source = aiter(items)

        async def close_async() -> None:
            if isinstance(source, AsyncGenerator):
                await source.aclose()

        return True, (lambda: anext(source, _NOTHING)), close_async
    plain = iter(items)

    async def close() -> None:
        if isinstance(plain, Generator):
            plain.close()

    return False, (lambda: next(plain, _NOTHING)), close
