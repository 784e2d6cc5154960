"""The progress of a batch: counts, notifications and a progress bar."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias

import attrs

from .._internal.callbacks import Callback
from .._internal.clock import Clock
from .outcome import Outcome

logger = logging.getLogger(__name__)

MIN_INTERVAL = 0.1
"""Seconds between two notifications."""


@attrs.frozen(kw_only=True)
class Progress:
    """The progress of a batch at one moment."""

    total: int | None
    """The number of requests; None if the input has no length."""
    done: int
    counts: Mapping[str, int]
    """The number of outcomes by status."""
    resumed: int
    """The number of outcomes that come from the journal."""
    in_flight: int
    waiting: int = 0
    """Requests that another process has claimed; the batch waits for it to finish or to expire."""
    elapsed: float
    """Seconds since the batch was started."""

    @property
    def per_second(self) -> float:
        """The average number of outcomes per second, without those from the journal."""
        return (self.done - self.resumed) / self.elapsed if self.elapsed else 0.0


OnProgress: TypeAlias = Callable[[Progress], object]
"""A function or a coroutine function, which is awaited; its exceptions are logged."""


class Tally:
    """A counter of outcomes that notifies of progress at a limited rate."""

    def __init__(
        self,
        total: int | None,
        on_progress: OnProgress | None,
        in_flight: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._total = total
        self._callback = None if on_progress is None else Callback(on_progress, "progress", logger)
        self._in_flight = in_flight
        self._clock = clock
        self._started_at: float | None = None
        self._notified_at = -MIN_INTERVAL
        self._counts: Counter[str] = Counter()
        self._resumed = 0
        self._waiting = 0

    def begin(self) -> None:
        """Start to measure the elapsed time."""
        self._started_at = self._clock.monotonic()

    async def add(self, outcome: Outcome[Any]) -> None:
        """Count an outcome, and notify if enough time has passed."""
        self._counts[outcome.status] += 1
        self._resumed += outcome.resumed
        await self.notify()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a request as waiting while another process has it."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def notify(self) -> None:
        """Notify of the progress if enough time has passed."""
        if self._callback is not None:
            now = self._clock.monotonic()
            if now - self._notified_at >= MIN_INTERVAL:
                self._notified_at = now
                await self._callback.wait(self.snapshot())

    async def end(self) -> None:
        """Notify of the final progress."""
        if self._callback is not None:
            await self._callback.wait(self.snapshot())

    def snapshot(self) -> Progress:
        """Return the current progress."""
        started_at = self._started_at
        return Progress(
            total=self._total,
            done=self._counts.total(),
            counts=MappingProxyType(dict(self._counts)),
            resumed=self._resumed,
            in_flight=self._in_flight(),
            waiting=self._waiting,
            elapsed=0.0 if started_at is None else self._clock.monotonic() - started_at,
        )


class RichProgress:
    """A progress bar with the counts by status, in a terminal; needs the extra ``rich``.

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
        """Show the progress of the batch."""
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
