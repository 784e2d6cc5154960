"""A clock that can be moved ahead while it runs."""

from __future__ import annotations

import asyncio
import math
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
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def __call__(self) -> float:
        """Return Unix seconds."""
        return self._now() + self._ahead

    time = __call__

    def monotonic(self) -> float:
        """Return seconds that go on with the machine's and jump when this clock is moved."""
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once; a negative number takes it back."""
        if not math.isfinite(seconds):
            raise ValueError(f"seconds must be a finite number, not {seconds}")
        self._move_to(self._ahead + seconds)

    @property
    def moved(self) -> float:
        """How many seconds it was moved in all."""
        return self._ahead

    def reset(self) -> None:
        """Show the other clock's time again."""
        self._move_to(0.0)

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as the clock was moved ahead by the rest."""
        loop, moved = asyncio.get_running_loop(), asyncio.Event()
        until = loop.time() + self._ahead + seconds
        sleeper = (loop, moved)
        self._sleepers.add(sleeper)
        try:
            while (left := until - loop.time() - self._ahead) > 0:
                timer = loop.call_later(left, moved.set)
                await moved.wait()
                timer.cancel()
                moved.clear()
        finally:
            self._sleepers.discard(sleeper)

    def _move_to(self, ahead: float) -> None:
        self._ahead = ahead
        # A shop may be served by another thread than that of the test which moves its time.
        for loop, moved in tuple(self._sleepers):
            if not loop.is_closed():
                loop.call_soon_threadsafe(moved.set)


def as_movable(clock: Callable[[], float]) -> Movable:
    """Return a clock that can be moved: the given one if it can, else one that follows it."""
    return clock if isinstance(clock, Movable) else MovableClock(clock)
