"""How far a batch is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias

import attrs

from .outcome import Outcome

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
    elapsed: float
    """Seconds since the batch was started."""

    @property
    def per_second(self) -> float:
        """How many were done in a second so far, without those of the journal."""
        return (self.done - self.resumed) / self.elapsed if self.elapsed else 0.0


OnProgress: TypeAlias = Callable[[Progress], object]


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
        self._tell = tell
        self._in_flight = in_flight
        self._timer = timer
        self._began: float | None = None
        self._told = 0.0
        self._counts: Counter[str] = Counter()
        self._resumed = 0

    def begin(self) -> None:
        """Start the clock."""
        self._began = self._timer()

    def add(self, outcome: Outcome[Any]) -> None:
        """Count an outcome, and tell of it if it is time."""
        self._counts[outcome.status] += 1
        self._resumed += outcome.resumed
        if self._tell is not None:
            now = self._timer()
            if now - self._told >= TELL_EVERY:
                self._told = now
                self._tell(self.snapshot())

    def end(self) -> None:
        """Tell how it came out."""
        if self._tell is not None:
            self._tell(self.snapshot())

    def snapshot(self) -> Progress:
        """Return how far it is now."""
        return Progress(
            total=self._total,
            done=self._counts.total(),
            counts=MappingProxyType(dict(self._counts)),
            resumed=self._resumed,
            in_flight=self._in_flight(),
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
