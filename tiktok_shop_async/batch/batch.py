"""A batch as its user has it: outcomes to iterate, and an end that loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Sized
from contextlib import aclosing
from os import PathLike
from typing import Any, Generic, TypeAlias, TypeVar

import attrs

from .._closing import ClosedOnExit
from ..errors import TikTokShopError
from .claims import Claims, opened
from .driver import Driver
from .journal import Journal
from .outcome import Outcome
from .progress import OnProgress, Progress, Tally

O = TypeVar("O", bound=Outcome[Any])  # noqa: E741 - an outcome

Work: TypeAlias = Callable[[int, Any, Claims], Coroutine[Any, Any, O]]
JournalPlace: TypeAlias = Journal | str | PathLike[str]


@attrs.frozen(kw_only=True)
class Unfinished:
    """A request that was begun, and that has no outcome."""

    key: str | None
    request: Any


class Batch(ClosedOnExit, Generic[O]):
    """The outcomes of a batch, to be iterated once.

    Nothing starts before the first outcome is asked for. Closing it early, by ``aclose``, by the
    end of its block, or because the task that waits for an outcome is cancelled, starts nothing
    new and gives what is in flight ``drain`` seconds.
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
        desk = _Desk(work, stop_on)
        self._driver = desk.driver = Driver(
            desk.work_on, items, concurrency=concurrency, ordered=ordered, drain=drain
        )
        total = len(items) if isinstance(items, Sized) else None
        driver = self._driver
        self._tally = desk.tally = Tally(total, progress, lambda: driver.in_flight)
        self._key = key
        self._outcomes = desk.outcomes(journal)
        self._was_cut_off = False

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        return self._tally.snapshot()

    @property
    def unfinished(self) -> list[Unfinished]:
        """What was begun and has no outcome, after an early end: each may have happened."""
        key = self._key
        return [
            Unfinished(key=key(item) if key else None, request=item)
            for item in self._driver.unfinished
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
        try:
            return await anext(self._outcomes)
        except asyncio.CancelledError:
            self._was_cut_off = True
            raise

    async def aclose(self) -> None:
        """Start nothing new, and wait for what is in flight, ``drain`` seconds at most."""
        await self._outcomes.aclose()


class _Desk(Generic[O]):
    """What the items of a batch have in common; knows nothing of who takes the outcomes."""

    driver: Driver[Any, O]
    tally: Tally
    claims: Claims

    def __init__(self, work: Work[O], stop_on: Callable[[O], object] | None) -> None:
        self._work = work
        self._stop_on = stop_on

    async def work_on(self, index: int, item: Any) -> O:
        outcome = await self._work(index, item, self.claims)
        try:
            self.tally.add(outcome)
            if self._stop_on is not None and self._stop_on(outcome):
                self.driver.stop()
        except Exception as error:  # not at the cost of the outcome
            self.driver.fail(error)
        return outcome

    async def outcomes(self, journal: JournalPlace | None) -> AsyncGenerator[O, None]:
        self.tally.begin()
        try:
            async with opened(journal) as session, aclosing(self.driver.results()) as results:
                self.claims = Claims(session, self.driver)
                async for outcome in results:
                    yield outcome
        finally:
            self.tally.end()
