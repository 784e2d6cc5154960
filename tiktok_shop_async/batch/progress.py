"""How far a batch is."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias

import attrs

from .._internal.callbacks import Callback
from .outcome import Outcome

logger = logging.getLogger(__name__)

TELL_EVERY = 0.1
"""Seconds between two reports of progress, at least."""


@attrs.frozen(kw_only=True)
class Progress:
    """How far a batch is, at one moment."""

    total: int | None
    """How many requests there are, where the input knows."""
    done: int
    counts: Mapping[str, int]
    """How many outcomes there are of each status."""
    resumed: int
    """How many of them were in the journal already."""
    in_flight: int
    waiting: int = 0
    """Requests that another process has: the batch waits for outcomes, or for expired leases."""
    elapsed: float
    """Seconds since the batch was started."""

    @property
    def per_second(self) -> float:
        """How many were done in a second so far, without those of the journal."""
        return (self.done - self.resumed) / self.elapsed if self.elapsed else 0.0


OnProgress: TypeAlias = Callable[[Progress], object]
"""A function, or a coroutine function, which is awaited; an exception that it raises is logged."""


class Tally:
    """Counts outcomes, and tells of them now and then."""

    def __init__(
        self,
        total: int | None,
        tell: OnProgress | None,
        in_flight: Callable[[], int],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._tell = None if tell is None else Callback(tell, "progress", logger)
        self._in_flight = in_flight
        self._timer = timer
        self._began: float | None = None
        self._told = 0.0
        self._counts: Counter[str] = Counter()
        self._resumed = 0
        self._waiting = 0

    def begin(self) -> None:
        """Start the clock."""
        self._began = self._timer()

    async def add(self, outcome: Outcome[Any]) -> None:
        """Count an outcome, and notify unless that was done a moment ago."""
        self._counts[outcome.status] += 1
        self._resumed += outcome.resumed
        await self.notify()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a request while another process has it."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def notify(self) -> None:
        """Notify of the progress, unless that was done a moment ago."""
        if self._tell is not None:
            now = self._timer()
            if now - self._told >= TELL_EVERY:
                self._told = now
                await self._tell.wait(self.snapshot())

    async def end(self) -> None:
        """Notify of the final progress."""
        if self._tell is not None:
            await self._tell.wait(self.snapshot())

    def snapshot(self) -> Progress:
        """Return how far it is now."""
        return Progress(
            total=self._total,
            done=self._counts.total(),
            counts=MappingProxyType(dict(self._counts)),
            resumed=self._resumed,
            in_flight=self._in_flight(),
            waiting=self._waiting,
            elapsed=0.0 if self._began is None else self._timer() - self._began,
        )


class RichProgress:
    """Shows a bar with the counts by status, in a terminal; needs the extra ``rich``.

    Use it as a context manager, and pass it as ``progress``.
    """

    def __init__(self, description: str = "", *, console: Any = None) -> None:
        try:
            from rich import progress as rich
        except ImportError as error:
            raise ImportError(
                "RichProgress needs a further package: pip install 'tiktok-shop-async[rich]'",
                name=error.name,
            ) from error
        self._bars = rich.Progress(
            rich.TextColumn("{task.description}"),
            rich.BarColumn(),
            rich.MofNCompleteColumn(),
            rich.TextColumn("{task.fields[counts]}"),
            rich.TextColumn("{task.fields[rate]}"),
            rich.TimeRemainingColumn(),
            console=console,
        )
        self._bar = self._bars.add_task(description, total=None, counts="", rate="")

    def __call__(self, progress: Progress) -> None:
        """Show how far the batch is."""
        counts = ", ".join(f"{count} {status}" for status, count in progress.counts.items())
        if progress.waiting:
            counts += f" ({progress.waiting} waiting for another process)"
        self._bars.update(
            self._bar,
            completed=progress.done,
            total=progress.total,
            counts=counts,
            rate=f"{progress.per_second:.1f}/s",
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()
