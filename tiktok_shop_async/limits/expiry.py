"""A queue of keys to expire, checked a few at a time so that no single call checks them all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from ..pipeline.admission.limiter import LimitKey

KEY_TTL = 900.0
"""Seconds without a call after which the state of a key is dropped."""
MAX_CHECKS = 4
"""Keys that are checked for each new key: more than one, so that every key is checked in time."""


class ExpiryQueue:
    """A queue of keys by the time at which each expires unless it was used."""

    def __init__(self) -> None:
        self._queue: deque[tuple[float, LimitKey]] = deque()

    def add(self, key: LimitKey, now: float) -> None:
        """Schedule the check of a new key."""
        self._queue.append((now + KEY_TTL, key))

    def expired(self, now: float, needed_until: Callable[[LimitKey], float]) -> Iterator[LimitKey]:
        """Yield expired keys, after at most `MAX_CHECKS`; reschedule keys that are still needed."""
        for _ in range(MAX_CHECKS):
            if not self._queue or self._queue[0][0] > now:
                return
            _, key = self._queue.popleft()
            until = needed_until(key)
            if until > now:
                self._queue.append((until, key))
            else:
                yield key
