"""A batch as its user has it: outcomes to iterate, and an end that loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Sized
from contextlib import aclosing, suppress
from os import PathLike
from typing import Any, Generic, TypeAlias, TypeVar

import attrs

from .._internal.argument_checks import check_function
from .._internal.callbacks import reject_coroutine_function
from .._internal.closing import ClosedOnExit
from .._internal.personal_data import masked_repr
from ..errors import TikTokShopError
from .claims import Claims, opened
from .driver import Driver
from .journal.base import Journal
from .outcome import Outcome
from .progress import OnProgress, Progress, Tally

O = TypeVar("O", bound=Outcome[Any])  # noqa: E741 - an outcome

Work: TypeAlias = Callable[[int, Any, Claims], Coroutine[Any, Any, O]]
JournalPlace: TypeAlias = Journal | str | PathLike[str]


@attrs.frozen(kw_only=True)
class Unfinished:
    """A request that was begun, and that has no outcome."""

    key: str | None
    request: Any = attrs.field(repr=masked_repr)


class Batch(ClosedOnExit, Generic[O]):
    """The outcomes of a batch, to be iterated once, by one task at a time.

    Nothing starts before the first outcome is asked for. Closing it early, by ``aclose``, by the
    end of its block, or because the task that waits for an outcome is cancelled, starts nothing
    new and gives what is in flight ``drain`` seconds. Any task may call ``aclose``: the iteration
    of another one ends then.
    """

    def __init__(
        self,
        work: Work[O],
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        concurrency: int,
        ordered: bool,
        drain: float,
        key: Callable[[Any], str] | None,
        journal: JournalPlace | None,
        progress: OnProgress | None,
        stop_on: Callable[[O], object] | None,
    ) -> None:
        """Make a batch of ``work``, which turns an item into an outcome; for writers of such."""
        for name, function in {"key": key, "stop_on": stop_on}.items():
            if function is not None:
                check_function(function, name)
                reject_coroutine_function(name, function)
        desk = _BatchRunner(work, stop_on)
        self._driver = desk.driver = Driver(
            desk.work_on, items, concurrency=concurrency, ordered=ordered, drain=drain
        )
        total = len(items) if isinstance(items, Sized) else None
        driver = self._driver
        self._tally = desk.tally = Tally(total, progress, lambda: driver.in_flight)
        self._key = key
        self._outcomes = desk.outcomes(journal)
        self._has_ended = desk.has_ended
        self._is_taking = self._is_closing = self._was_cut_off = False

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        return self._tally.snapshot()

    @property
    def unfinished(self) -> list[Unfinished]:
        """Requests without an outcome after an early end; each may have been processed.

        The key is None if ``key`` raises.
        """
        return [
            Unfinished(key=self._key_of(item), request=item) for item in self._driver.unfinished
        ]

    @property
    def undelivered(self) -> list[O]:
        """Outcomes that were there when the batch was closed, and that nobody had taken."""
        return self._driver.undelivered

    def __aiter__(self) -> Batch[O]:
        return self

    async def __anext__(self) -> O:
        """Return the next outcome."""
        if self._was_cut_off:
            raise TikTokShopError(
                "the batch was closed when the wait for an outcome was cancelled.",
                hint="Run the rest as a new batch; with a journal that is the same input again.",
            )
        if self._is_taking:
            raise TikTokShopError("another task is waiting for an outcome of this batch.")
        if self._is_closing:
            await self._has_ended.wait()
            raise StopAsyncIteration
        self._is_taking = True
        try:
            return await anext(self._outcomes)
        except asyncio.CancelledError:
            self._was_cut_off = True
            raise
        finally:
            self._is_taking = False

    async def aclose(self) -> None:
        """Start nothing new, and wait for what is in flight, ``drain`` seconds at most."""
        was_closing, self._is_closing = self._is_closing, True
        if self._is_taking:  # that task closes it
            self._driver.close()
            await self._has_ended.wait()
        elif was_closing:
            await self._has_ended.wait()
        else:
            try:
                await self._outcomes.aclose()
            finally:
                self._has_ended.set()

    def _key_of(self, item: Any) -> str | None:
        if self._key is not None:
            with suppress(Exception):  # it may be what ended the batch
                return self._key(item)
        return None


class _BatchRunner(Generic[O]):
    """What the items of a batch have in common; knows nothing of who takes the outcomes."""

    driver: Driver[Any, O]
    tally: Tally
    claims: Claims

    def __init__(self, work: Work[O], stop_on: Callable[[O], object] | None) -> None:
        self._work = work
        self._stop_on = stop_on
        self.has_ended = asyncio.Event()

    async def work_on(self, index: int, item: Any) -> O:
        outcome = await self._work(index, item, self.claims)
        with suppress(asyncio.CancelledError):  # not at the cost of the outcome
            await self.tally.add(outcome)
        try:
            if self._stop_on is not None and self._stop_on(outcome):
                self.driver.stop()
        except Exception as error:  # nor this
            self.driver.fail(error)
        return outcome

    async def outcomes(self, journal: JournalPlace | None) -> AsyncGenerator[O, None]:
        self.tally.begin()
        try:
            async with opened(journal) as session, aclosing(self.driver.results()) as results:
                self.claims = Claims(session, self.driver, self.tally)
                async for outcome in results:
                    yield outcome
        finally:
            try:
                await self.tally.end()
            finally:
                self.has_ended.set()
