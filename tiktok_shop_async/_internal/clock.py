"""The one source of time: the current time, durations, and waits."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """A source of time that can be replaced in one place, such as in a test."""

    def time(self) -> float:
        """Return Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, to measure how long something takes."""
        ...

    def sleep(self, seconds: float, /) -> Awaitable[object]:
        """Wait for a number of seconds."""
        ...


TimeSource: TypeAlias = Clock | Callable[[], float]
"""A clock, or a function that returns Unix seconds."""


class SystemClock:
    """The clock of this machine; parts of it can be replaced by functions."""

    def __init__(
        self,
        unix_time: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        # Attributes, not methods: every call reads the time, and a method would cost a frame.
        self.time = unix_time
        self.monotonic = monotonic
        self.sleep = sleep or _sleep


async def _sleep(seconds: float) -> None:
    from asyncio import sleep  # importing asyncio takes a while

    await sleep(seconds)


def clock_of(
    source: TimeSource, sleep: Callable[[float], Awaitable[object]] | None = None
) -> Clock:
    """Return a clock as it is, or one that takes the time from a function.

    A given ``sleep`` replaces the clock's own.
    """
    if not isinstance(source, Clock):
        return SystemClock(source, sleep)
    return source if sleep is None else SystemClock(source.time, sleep, source.monotonic)
