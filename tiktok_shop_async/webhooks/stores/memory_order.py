"""The order of events in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class ObjectQueues:
    """A queue of events for each object: the current one is unblocked, the others are blocked."""

    def __init__(self) -> None:
        self._current: dict[str, str] = {}
        self._queues: dict[str, list[tuple[int, str]]] = {}

    def add(self, name: str, position: int, event: str) -> None:
        """Add an event to the queue of an object."""
        heapq.heappush(self._queues.setdefault(name, []), (position, event))

    def end(self, name: str, event: str) -> None:
        """End the current event of an object, if it is this one."""
        if self._current.get(name) == event:
            del self._current[name]

    def next(self, name: str) -> Iterator[str]:
        """Yield the next event of an object and make it the current one, unless there is one."""
        queue = self._queues.get(name)
        if queue and name not in self._current:
            _, self._current[name] = heapq.heappop(queue)
            yield self._current[name]
        if not queue:
            self._queues.pop(name, None)


class States:
    """The time of the latest handled change of each state, as long as it is remembered."""

    def __init__(self) -> None:
        self._changed_at: dict[str, tuple[int, float]] = {}
        """The time of the change and the time at which it expires, the earliest expiry first."""

    def is_outdated(self, name: str, changed_at: int) -> bool:
        """Return whether a later change of the state was handled."""
        return changed_at < self._changed_at.get(name, (changed_at, 0.0))[0]

    def remember(self, name: str, changed_at: int, *, until: float) -> None:
        """Remember a change that was handled."""
        newest, _ = self._changed_at.pop(name, (changed_at, 0.0))
        self._changed_at[name] = (max(newest, changed_at), until)

    def forget(self, now: float) -> None:
        """Remove expired states."""
        while self._changed_at:
            name, (_, until) = next(iter(self._changed_at.items()))
            if until > now:
                return
            del self._changed_at[name]
