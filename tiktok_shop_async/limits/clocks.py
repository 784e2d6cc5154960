"""The clock of a limiter."""

from __future__ import annotations

import time
from collections.abc import Callable

from .._internal.clock import Clock, SystemClock, TimeSource


def limiter_clock(clock: TimeSource, unix_clock: TimeSource | None = None) -> Clock:
    """Return the clock that a limiter uses.

    Args:
        clock: A clock, or a function that returns seconds that never go back.
        unix_clock: The source of Unix seconds; by default that of ``clock``, or the system's.
    """
    if isinstance(clock, Clock):
        if unix_clock is None:
            return clock
        return SystemClock(_unix_time(unix_clock), clock.sleep, clock.monotonic)
    return SystemClock(_unix_time(unix_clock or time.time), None, clock)


def _unix_time(source: TimeSource) -> Callable[[], float]:
    return source.time if isinstance(source, Clock) else source
