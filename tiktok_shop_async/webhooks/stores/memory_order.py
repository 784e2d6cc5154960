"""The order of events in the memory of one process."""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class ObjectQueues:
    """The events of each object: one has its turn, the others wait for it to leave."""

    def __init__(self) -> None:
        self._turns: dict[str, str] = {}
        self._queues: dict[str, list[tuple[int, str]]] = {}

    def enter(self, name: str, position: int, event: str) -> None:
        """Add an event to the queue of an object."""
        heapq.heappush(self._queues.setdefault(name, []), (position, event))

    def leave(self, name: str, event: str) -> None:
        """End the turn of an event, if it has it."""
        if self._turns.get(name) == event:
            del self._turns[name]

    def next(self, name: str) -> Iterator[str]:
        """Yield the event of an object whose turn begins, if that of no other lasts."""
        queue = self._queues.get(name)
        if queue and name not in self._turns:
            _, self._turns[name] = heapq.heappop(queue)
            yield self._turns[name]
        if not queue:
            self._queues.pop(name, None)


class States:
    """When each state that was handled had changed, for as long as it is remembered."""

    def __init__(self) -> None:
        self._changed_at: dict[str, tuple[int, float]] = {}
        """With the time until which it is remembered, the first to be forgotten first."""

    def is_outdated(self, name: str, changed_at: int) -> bool:
        """Tell whether a later change of the state was handled."""
        return changed_at < self._changed_at.get(name, (changed_at, 0.0))[0]

    def handled(self, name: str, changed_at: int, *, until: float) -> None:
        """Remember a change that was handled."""
        newest, _ = self._changed_at.pop(name, (changed_at, 0.0))
        self._changed_at[name] = (max(newest, changed_at), until)

    def forget(self, now: float) -> None:
        """Forget what is remembered until now."""
        while self._changed_at:
            name, (_, until) = next(iter(self._changed_at.items()))
            if until > now:
                return
            del self._changed_at[name]
