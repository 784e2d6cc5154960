"""The engine of batches: bounded work on endless input, and nothing that gets lost."""

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

from ..errors import InvalidArgumentError

Item = TypeVar("Item")
R = TypeVar("R")

Source: TypeAlias = Iterable[Item] | AsyncIterable[Item]
Work: TypeAlias = Callable[[int, Item], Coroutine[Any, Any, R]]

DRAIN = 30.0
"""Seconds that what is in flight gets to finish when a batch is closed early."""
GRACE = 5.0
"""Seconds that cancelled work gets to put down what it knows."""
_NOTHING: Any = object()


def drive(
    work: Work[Item, R],
    items: Source[Item],
    *,
    concurrency: int,
    ordered: bool = False,
    drain: float = DRAIN,
) -> AsyncGenerator[R, None]:
    """Yield what ``work(index, item)`` returns for each item, as they finish or in order."""
    driver = Driver(work, items, concurrency=concurrency, ordered=ordered, drain=drain)
    return driver.results()


class Driver(Generic[Item, R]):
    """Works on the items of a source, so many at once, while somebody takes the results.

    Items are read when there is room: at most ``concurrency`` are in flight, and twice as many
    are in flight or have a result that nobody took yet. An error of the source or of the work
    keeps new ones from starting; it is raised after the results of those in flight.
    """

    def __init__(
        self,
        work: Work[Item, R],
        items: Source[Item],
        *,
        concurrency: int,
        ordered: bool = False,
        drain: float = DRAIN,
    ) -> None:
        if concurrency < 1:
            raise InvalidArgumentError("concurrency is below 1.", argument="concurrency")
        self._work = work
        self._items = items
        self._drain = drain
        self._places = asyncio.Semaphore(concurrency)
        self._room = asyncio.Semaphore(2 * concurrency)
        self._in_flight: dict[Task[R], tuple[int, Item]] = {}
        self._aside: set[Task[R]] = set()
        self._finished: _Finished[R] = _InOrder() if ordered else _AsTheyCome()
        self._pump: Task[None] | None = None
        self._is_stopped = self._is_closed = False
        self._error: BaseException | None = None
        self._more_errors = 0
        self._news: asyncio.Future[None] | None = None
        self.unfinished: list[Item] = []
        """Items that were begun, and that have no result: cancelled, or failed unexpectedly."""

    @property
    def in_flight(self) -> int:
        """How many items are being worked on."""
        return len(self._in_flight)

    @property
    def undelivered(self) -> list[R]:
        """Results that nobody has taken."""
        return self._finished.rest()

    async def results(self) -> AsyncGenerator[R, None]:
        """Do the work and yield the results; closing it early drains what is in flight."""
        self._pump = asyncio.create_task(self._start_all())
        self._pump.add_done_callback(self._pump_ended)
        finished = self._finished
        try:
            while True:
                while (result := finished.next()) is not _NOTHING:
                    self._room.release()
                    yield result
                if self._is_closed or (self._pump is None and not self._in_flight):
                    break
                self._news = asyncio.get_running_loop().create_future()
                await self._news
        finally:
            self.stop()
            if self._pump is not None or self._in_flight:
                await self._settle()
        if self._error is not None:
            if self._more_errors:
                self._error.add_note(f"{self._more_errors} more items failed unexpectedly.")
            raise self._error

    def stop(self) -> None:
        """Start no new item; the results of those in flight are still yielded."""
        self._is_stopped = True
        if self._pump is not None:
            self._pump.cancel()

    def close(self) -> None:
        """End the iteration of the results, in whatever task it is, as closing them does."""
        self._is_closed = True
        self._tell()

    def fail(self, error: BaseException) -> None:
        """Start no new item, and raise ``error`` after the results of those in flight."""
        if self._error is None:
            self._error = error
        else:
            self._more_errors += 1
        self.stop()

    @asynccontextmanager
    async def release_slot(self) -> AsyncIterator[None]:
        """Let another item have this one's place for the time of a long wait."""
        task: Any = asyncio.current_task()
        self._aside.add(task)
        self._places.release()
        try:
            yield
        finally:
            await self._places.acquire()
            self._aside.discard(task)

    async def _start_all(self) -> None:
        """Start the items one by one, as soon as there is a place for another one."""
        room, places, work, in_flight = self._room, self._places, self._work, self._in_flight
        done, create_task = self._work_ended, asyncio.create_task
        is_async, read, close = _reader(self._items)
        index, has_place = 0, False
        try:
            while True:
                await room.acquire()
                has_place = await places.acquire()
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
                has_place = False  # it is the task's
                index += 1
        finally:
            if has_place:
                places.release()  # somebody may want to come back from release_slot
            await close()

    def _pump_ended(self, pump: Task[None]) -> None:
        self._pump = None
        error: BaseException | None = None
        if not pump.cancelled():
            error = pump.exception()
        elif not self._is_stopped:
            error = _cancelled_from_outside("reading the items")
        if error is not None:
            self.fail(error)
        self._tell()

    def _work_ended(self, task: Task[R]) -> None:
        begun = self._in_flight.pop(task, None)
        if task in self._aside:
            self._aside.discard(task)  # cancelled there: another one has its place
        else:
            self._places.release()
        if begun is None:
            return  # it was given up
        index, item = begun
        error = None if task.cancelled() else task.exception()
        if not task.cancelled() and error is None:
            self._finished.add(index, task.result())
        else:
            self.unfinished.append(item)
            self._finished.leave_out(index)
            self._room.release()
            if task.cancelled() and not self._is_stopped:
                error = _cancelled_from_outside(f"item {index}")
            if error is not None:
                self.fail(error)
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _settle(self) -> None:
        """Give what is in flight its time; cancel what is still there, and note what that was."""
        try:
            await self._ended(self._drain)
        finally:
            for task in self._in_flight:
                task.cancel()
            try:
                await self._ended(GRACE)
            finally:
                self.unfinished.extend(item for _, item in self._in_flight.values())
                self._in_flight.clear()

    async def _ended(self, patience: float) -> None:
        tasks = {*self._in_flight, *([self._pump] if self._pump else [])}
        if tasks:
            await asyncio.wait(tasks, timeout=patience)


class _Finished(Generic[R]):
    """Results that wait for whoever takes them."""

    def add(self, index: int, result: R) -> None:
        raise NotImplementedError

    def leave_out(self, index: int) -> None:
        """Note that there will be none for ``index``."""

    def next(self) -> R:
        """Return the next result, or nothing yet."""
        raise NotImplementedError

    def rest(self) -> list[R]:
        raise NotImplementedError


class _AsTheyCome(_Finished[R]):
    def __init__(self) -> None:
        self._results: deque[R] = deque()

    def add(self, index: int, result: R) -> None:
        self._results.append(result)

    def next(self) -> R:
        result: R = self._results.popleft() if self._results else _NOTHING
        return result

    def rest(self) -> list[R]:
        return list(self._results)


class _InOrder(_Finished[R]):
    def __init__(self) -> None:
        self._results: dict[int, R] = {}
        self._left_out: set[int] = set()
        self._next = 0

    def add(self, index: int, result: R) -> None:
        self._results[index] = result

    def leave_out(self, index: int) -> None:
        self._left_out.add(index)

    def next(self) -> R:
        while self._next in self._left_out:
            self._left_out.discard(self._next)
            self._next += 1
        if self._next not in self._results:
            nothing_yet: R = _NOTHING
            return nothing_yet
        self._next += 1
        return self._results.pop(self._next - 1)

    def rest(self) -> list[R]:
        return [self._results[index] for index in sorted(self._results)]


def _cancelled_from_outside(what: str) -> RuntimeError:
    """Return an error to raise: a cancellation would look like one of whoever takes the results."""
    return RuntimeError(f"{what} was cancelled, and not by this batch")


def _reader(
    items: Source[Any],
) -> tuple[bool, Callable[[], Any], Callable[[], Awaitable[None]]]:
    """Return whether reading is to be awaited, what reads the next item, and what closes."""
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
