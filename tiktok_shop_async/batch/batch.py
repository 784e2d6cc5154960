"""Batches: outcomes to iterate, and an orderly end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Sized
from contextlib import aclosing, suppress
from functools import partial
from os import PathLike
from typing import Any, Generic, TypeAlias, TypeVar

import attrs

from .._internal.argument_checks import check_function
from .._internal.callbacks import reject_coroutine_function
from .._internal.clock import Clock, SystemClock
from .._internal.closing import ClosedOnExit
from .._internal.personal_data import masked_repr
from ..errors import TikTokShopError
from .claims import Claims, open_session
from .engine import DRAIN, Engine
from .journal.base import Journal
from .outcome import Outcome
from .progress import OnProgress, Progress, Tally

O = TypeVar("O", bound=Outcome[Any])  # noqa: E741 - an outcome

Items: TypeAlias = Iterable[Any] | AsyncIterable[Any]
Work: TypeAlias = Callable[[int, Any, Claims], Coroutine[Any, Any, O]]
JournalLocation: TypeAlias = Journal | str | PathLike[str]


@attrs.frozen(kw_only=True)
class BatchSettings(Generic[O]):
    """The settings that all kinds of batches share; see `run_batch` for their meaning."""

    concurrency: int
    ordered: bool = False
    drain: float = DRAIN
    key: Callable[[Any], str] | None = None
    journal: JournalLocation | None = None
    progress: OnProgress | None = None
    stop_on: Callable[[O], object] | None = None
    clock: Clock = attrs.field(factory=SystemClock)

    def __attrs_post_init__(self) -> None:
        for name, function in {"key": self.key, "stop_on": self.stop_on}.items():
            if function is not None:
                check_function(function, name)
                reject_coroutine_function(name, function)


@attrs.frozen(kw_only=True)
class Unfinished:
    """A request that was started and has no outcome."""

    key: str | None
    request: Any = attrs.field(repr=masked_repr)


class Batch(ClosedOnExit, Generic[O]):
    """The outcomes of a batch, to be iterated once, by one task at a time.

    Nothing starts before the first outcome is requested. A batch is closed early by ``aclose``, by
    the end of its block, or by cancelling the task that waits for an outcome. No new request starts
    then, and the requests in flight have ``drain`` seconds to finish. Any task may call ``aclose``;
    it also ends the iteration in another task.
    """

    def __init__(self, work: Work[O], items: Items, settings: BatchSettings[O]) -> None:
        """Create a batch of ``work``, which turns an item into an outcome."""
        engine: Engine[Any, O] = Engine(
            concurrency=settings.concurrency, ordered=settings.ordered, drain=settings.drain
        )
        total = len(items) if isinstance(items, Sized) else None
        tally = Tally(total, settings.progress, lambda: engine.in_flight, settings.clock)
        runner = _BatchRunner(work, settings, engine, tally)
        self._engine, self._tally = engine, tally
        self._key = settings.key
        self._outcomes = runner.outcomes(items)
        self._has_ended = runner.has_ended
        self._is_iterating = self._is_closing = self._was_cut_off = False

    @property
    def progress(self) -> Progress:
        """The current progress."""
        return self._tally.snapshot()

    @property
    def unfinished(self) -> list[Unfinished]:
        """Requests without an outcome after an early end; each may have been processed.

        The key is None if ``key`` raises.
        """
        return [
            Unfinished(key=self._key_of(item), request=item) for item in self._engine.unfinished
        ]

    @property
    def undelivered(self) -> list[O]:
        """Outcomes that existed when the batch was closed and were not iterated."""
        return self._engine.undelivered

    def __aiter__(self) -> Batch[O]:
        return self

    async def __anext__(self) -> O:
        """Return the next outcome."""
        if self._was_cut_off:
            raise TikTokShopError(
                "the batch was closed when the wait for an outcome was cancelled.",
                hint="Run the rest as a new batch; with a journal, pass the same input again.",
            )
        if self._is_iterating:
            raise TikTokShopError("another task is waiting for an outcome of this batch.")
        if self._is_closing:
            await self._has_ended.wait()
            raise StopAsyncIteration
        self._is_iterating = True
        try:
            return await anext(self._outcomes)
        except asyncio.CancelledError:
            self._was_cut_off = True
            raise
        finally:
            self._is_iterating = False

    async def aclose(self) -> None:
        """Start no new request, and wait at most ``drain`` seconds for those in flight."""
        was_closing, self._is_closing = self._is_closing, True
        if self._is_iterating:  # the iterating task ends the outcomes
            self._engine.close()
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
            with suppress(Exception):  # an exception of `key` may have ended the batch
                return self._key(item)
        return None


class _BatchRunner(Generic[O]):
    """The runner of a batch's work in an engine, with its journal, tally and stop condition."""

    def __init__(
        self, work: Work[O], settings: BatchSettings[O], engine: Engine[Any, O], tally: Tally
    ) -> None:
        self._work = work
        self._stop_on = settings.stop_on
        self._journal = settings.journal
        self._engine = engine
        self._tally = tally
        self.has_ended = asyncio.Event()

    async def outcomes(self, items: Items) -> AsyncGenerator[O, None]:
        self._tally.begin()
        try:
            async with open_session(self._journal) as session:
                work = partial(self._process, Claims(session, self._engine, self._tally))
                async with aclosing(self._engine.results(work, items)) as results:
                    async for outcome in results:
                        yield outcome
        finally:
            try:
                await self._tally.end()
            finally:
                self.has_ended.set()

    async def _process(self, claims: Claims, index: int, item: Any) -> O:
        outcome = await self._work(index, item, claims)
        with suppress(asyncio.CancelledError):  # the outcome must not be lost
            await self._tally.add(outcome)
        try:
            if self._stop_on is not None and self._stop_on(outcome):
                self._engine.stop()
        except Exception as error:  # likewise
            self._engine.fail(error)
        return outcome
