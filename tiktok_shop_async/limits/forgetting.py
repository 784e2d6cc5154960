"""The keys that were not used for long: found a few at a time, so that no call pays for all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from ..pipeline.limiter import LimitKey

FORGET_AFTER = 900.0
"""Seconds without a call after which what was learned is worth nothing."""
MAX_CHECKS = 4
"""Keys that are looked at for each key that is new: more than come in, so they all get a look."""


class Forgetting:
    """A queue of keys by the time at which each may be forgotten, if it is not used till then."""

    def __init__(self) -> None:
        self._queue: deque[tuple[float, LimitKey]] = deque()

    def add(self, key: LimitKey, now: float) -> None:
        """Have a new key looked at later."""
        self._queue.append((now + FORGET_AFTER, key))

    def due(self, now: float, needed_until: Callable[[LimitKey], float]) -> Iterator[LimitKey]:
        """Yield keys to forget, at most `MAX_CHECKS`; others are looked at again when due."""
        for _ in range(MAX_CHECKS):
            if not self._queue or self._queue[0][0] > now:
                return
            _, key = self._queue.popleft()
            until = needed_until(key)
            if until > now:
                self._queue.append((until, key))
            else:
                yield key
