"""A queue of unused keys, checked a few at a time, so that no single call checks them all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from ..pipeline.admission.limiter import LimitKey

FORGET_AFTER = 900.0
"""Seconds without a call after which what was learned is worth nothing."""
MAX_CHECKS = 4
"""Keys that are checked for each new key: more than one, so that every key is checked in time."""


class Forgetting:
    """A queue of keys by the time at which each may be forgotten, if it is not used till then."""

    def __init__(self) -> None:
        self._queue: deque[tuple[float, LimitKey]] = deque()

    def add(self, key: LimitKey, now: float) -> None:
        """Schedule the check of a new key."""
        self._queue.append((now + FORGET_AFTER, key))

    def due(self, now: float, needed_until: Callable[[LimitKey], float]) -> Iterator[LimitKey]:
        """Yield keys to forget, at most `MAX_CHECKS`; keys in use are scheduled again."""
        for _ in range(MAX_CHECKS):
            if not self._queue or self._queue[0][0] > now:
                return
            _, key = self._queue.popleft()
            until = needed_until(key)
            if until > now:
                self._queue.append((until, key))
            else:
                yield key
