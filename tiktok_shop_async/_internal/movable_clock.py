"""A clock that can be moved forward while it runs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable


@runtime_checkable
class Movable(Protocol):
    """A clock that can be moved, such as the sandbox's own or one of a test."""

    def __call__(self) -> float:
        """Return Unix seconds."""
        ...

    def advance(self, seconds: float) -> None:
        """Move the clock forward by a number of seconds."""
        ...


class MovableClock:
    """A clock that is ahead of another clock by the seconds that it was moved."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._ahead = 0.0
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def __call__(self) -> float:
        """Return Unix seconds."""
        return self._now() + self._ahead

    time = __call__

    def monotonic(self) -> float:
        """Return monotonic seconds, which jump when this clock is moved."""
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward by a number of seconds, or back by a negative one."""
        if not math.isfinite(seconds):
            raise ValueError(f"seconds must be a finite number, not {seconds}")
        self._move_to(self._ahead + seconds)

    @property
    def moved(self) -> float:
        """The total number of seconds that the clock was moved."""
        return self._ahead

    def reset(self) -> None:
        """Return to the time of the other clock."""
        self._move_to(0.0)

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds of this clock, whether they pass or it is moved."""
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
        # A sandbox may run in another thread than the test that moves its clock.
        for loop, moved in tuple(self._sleepers):
            if not loop.is_closed():
                loop.call_soon_threadsafe(moved.set)
