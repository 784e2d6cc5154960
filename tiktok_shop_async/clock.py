"""Time that can be moved ahead while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable


@runtime_checkable
class Movable(Protocol):
    """A clock that can be moved: the sandbox's own, or one of a test."""

    def __call__(self) -> float:
        """Return Unix seconds."""
        ...

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once."""
        ...


class MovableClock:
    """A clock that is ahead of another one by as much as it was moved."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return Unix seconds."""
        return self._now() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once; a negative number takes it back."""
        self._ahead += seconds

    @property
    def moved(self) -> float:
        """How many seconds it was moved in all."""
        return self._ahead

    def reset(self) -> None:
        """Show the other clock's time again."""
        self._ahead = 0.0


def movable(clock: Callable[[], float]) -> Movable:
    """Return a clock that can be moved: the given one if it can, else one that follows it."""
    return clock if isinstance(clock, Movable) else MovableClock(clock)
