"""A store of events in the memory of one process."""

from __future__ import annotations

import heapq
import itertools
import logging
import time
import uuid
from collections.abc import AsyncIterator, Collection, Sequence

import attrs

from ..._internal.clock import TimeSource, clock_of
from .base import (
    DEFAULT_RETENTION,
    ClaimedEvent,
    DeadLetter,
    NewEvent,
    StoredCounts,
    WaitingEvent,
    check_max_waiting,
    check_retention,
    full_error,
    to_datetime,
)
from .completion_tracker import CompletionTracker, Outstanding
from .memory_order import ObjectQueues, States

logger = logging.getLogger("tiktok_shop_async.webhooks")


@attrs.define(eq=False)
class _Waiting:
    key: str
    event: NewEvent
    received_at: float
    due: float
    position: int
    """The position among the events of its object."""
    attempts: int = 0
    claim: str = ""
    error: str | None = None
    is_blocked: bool = False
    """True while it waits for an earlier event of its object."""


class MemoryWebhookStore:
    """A store in memory; events that wait when the process ends are lost.

    Each process has its own store. With several workers, each one handles the events that it
    received, and a repeated delivery may reach another one. A remembered id takes about 200 bytes.
    """

    is_durable = False

    def __init__(
        self,
        *,
        max_waiting: int = 10_000,
        max_dead: int = 10_000,
        remember: float = DEFAULT_RETENTION,
        clock: TimeSource = time.time,
    ) -> None:
        """Create the store.

        Args:
            max_waiting: Maximum number of waiting events. Further ones are refused, so that the
                platform sends them again.
            max_dead: Maximum number of dead letters; the oldest ones are dropped.
            remember: Seconds for which an id is remembered, at least a day.
            clock: A clock, or a function that returns Unix seconds.
        """
        self._max_waiting = check_max_waiting(max_waiting)
        self._max_dead = max_dead
        self._remember = check_retention(remember)
        self._now = clock_of(clock).time
        self._waiting: dict[str, _Waiting] = {}
        self._by_due: list[tuple[float, int, str]] = []
        """A heap; entries of events that were removed or have another due time are skipped."""
        self._numbers = itertools.count()
        self._dead: dict[str, tuple[DeadLetter, _Waiting]] = {}
        self._remembered: dict[str, float] = {}
        """When each name expires, the earliest first."""
        self._queues = ObjectQueues()
        self._states = States()
        self._cursors: dict[str, int] = {}
        self._tracker = CompletionTracker()

    def __repr__(self) -> str:
        return f"<MemoryWebhookStore, {len(self._waiting)} waiting, {len(self._dead)} dead>"

    async def add(self, event: NewEvent) -> bool:
        """Store an event and return whether it is new."""
        key = event.key
        if any(self._is_known(name) for name in (key, *event.keys_of(event.unless))):
            return False
        if len(self._waiting) >= self._max_waiting:
            raise full_error(
                self._max_waiting,
                "Handlers are too slow: raise the receiver's concurrency, or use a store in SQL or "
                "Redis.",
            )
        now = self._now()
        for name in (key, *event.keys_of(event.aliases)):
            self._remembered.pop(name, None)
            self._remembered[name] = now + self._remember
        waiting = _Waiting(key, event, received_at=now, due=now, position=next(self._numbers))
        self._add_waiting([waiting])
        return True

    async def claim(self, limit: int, *, lease: float) -> Sequence[ClaimedEvent]:
        """Claim events that are due."""
        now = self._now()
        claimed: list[ClaimedEvent] = []
        while len(claimed) < limit and self._by_due and self._by_due[0][0] <= now:
            due, _, key = heapq.heappop(self._by_due)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.due == due and not waiting.is_blocked:
                waiting.attempts += 1
                waiting.claim = uuid.uuid4().hex
                waiting.due = now + lease
                claimed.append(self._claim_of(waiting))
        for each in claimed:
            self._push(self._waiting[each.key])
        return claimed

    async def renew(self, claims: Collection[ClaimedEvent], *, lease: float) -> None:
        """Extend claims."""
        for claim in claims:
            if waiting := self._claimed_by(claim):
                self._set_due(waiting, self._now() + lease)

    async def finish(self, claim: ClaimedEvent) -> None:
        """Remove an event that was handled."""
        waiting = self._waiting.get(claim.key)
        if waiting is None or (waiting.event.object is not None and waiting.claim != claim.claim):
            return
        event = waiting.event
        if event.state_key is not None and event.changed_at is not None:
            until = self._now() + self._remember
            self._states.remember(event.state_key, event.changed_at, until=until)
        self._remove_waiting(waiting)
        self._tracker.add(claim.key)

    async def put_back(
        self,
        claim: ClaimedEvent,
        *,
        after: float = 0.0,
        counted: bool = True,
        error: str | None = None,
    ) -> None:
        """Make an event due again."""
        if waiting := self._claimed_by(claim):
            waiting.claim = ""
            waiting.error = waiting.error if error is None else error
            waiting.attempts -= not counted
            self._set_due(waiting, self._now() + after)

    async def dead_letter(self, claim: ClaimedEvent, *, error: str) -> None:
        """Move an event to the dead letters."""
        waiting = self._claimed_by(claim)
        if waiting is None:
            return
        letter = DeadLetter(
            key=claim.key,
            id=claim.id,
            body=claim.body,
            app_key=claim.app_key,
            attempts=claim.attempt,
            error=error,
            received_at=claim.received_at,
            died_at=to_datetime(self._now()),
        )
        self._dead[claim.key] = (letter, waiting)
        self._remove_waiting(waiting)
        self._tracker.add(claim.key)
        if len(self._dead) > self._max_dead:
            oldest = next(iter(self._dead))
            del self._dead[oldest]
            logger.error(
                "dead letter %s was dropped: there are more than max_dead=%d",
                oldest,
                self._max_dead,
            )

    async def waiting(self) -> AsyncIterator[WaitingEvent]:
        """Yield the events that wait or are being handled."""
        for waiting in list(self._waiting.values()):
            if self._waiting.get(waiting.key) is waiting:
                yield WaitingEvent(
                    key=waiting.key,
                    id=waiting.event.id,
                    body=waiting.event.body,
                    app_key=waiting.event.app_key,
                    attempts=waiting.attempts,
                    error=waiting.error,
                    received_at=to_datetime(waiting.received_at),
                    due_at=to_datetime(waiting.due),
                    is_being_handled=waiting.claim != "" and waiting.due > self._now(),
                )

    async def join(self) -> None:
        """Wait until the events that wait now are handled or dead-lettered."""

        async def snapshot() -> Outstanding:
            awaited = dict(self._waiting)

            async def outstanding() -> list[str]:
                return [key for key, each in awaited.items() if self._waiting.get(key) is each]

            return outstanding

        await self._tracker.join(snapshot)

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters."""
        for letter, _ in list(self._dead.values()):
            yield letter

    async def replay(self, *keys: str) -> int:
        """Make dead letters due again."""
        now = self._now()
        events = [
            attrs.evolve(each, due=now, attempts=0, claim="", error=None)
            for each in self._pop_dead(keys)
        ]
        self._add_waiting(events)
        return len(events)

    async def discard(self, *keys: str) -> int:
        """Delete dead letters."""
        return len(self._pop_dead(keys))

    async def counts(self) -> StoredCounts:
        """Return the number of events."""
        return StoredCounts(waiting=len(self._waiting), dead=len(self._dead))

    async def forget(self) -> None:
        """Remove expired ids."""
        now = self._now()
        self._states.forget(now)
        while self._remembered:
            name, until = next(iter(self._remembered.items()))
            if until > now:
                return
            del self._remembered[name]

    async def cursor(self, name: str) -> int | None:
        """Return the position of a poller."""
        return self._cursors.get(name)

    async def move_cursor(self, name: str, to: int) -> None:
        """Store the position of a poller."""
        self._cursors[name] = max(to, self._cursors.get(name, to))

    def _is_known(self, name: str) -> bool:
        return (
            self._remembered.get(name, 0.0) > self._now()
            or name in self._waiting
            or name in self._dead
        )

    def _claimed_by(self, claim: ClaimedEvent) -> _Waiting | None:
        """Return the event of a claim; None if the claim was lost."""
        waiting = self._waiting.get(claim.key)
        return waiting if waiting is not None and waiting.claim == claim.claim else None

    def _pop_dead(self, keys: Collection[str]) -> list[_Waiting]:
        wanted = keys or list(self._dead)
        return [self._dead.pop(each)[1] for each in dict.fromkeys(wanted) if each in self._dead]

    def _add_waiting(self, events: Sequence[_Waiting]) -> None:
        """Add events; those of an object are blocked by its earlier ones."""
        for waiting in events:
            self._waiting[waiting.key] = waiting
            name = waiting.event.object_key
            if name is None:
                self._push(waiting)
            else:
                waiting.is_blocked = True
                self._queues.add(name, waiting.position, waiting.key)
        for waiting in events:
            self._unblock_next(waiting.event.object_key)

    def _remove_waiting(self, waiting: _Waiting) -> None:
        del self._waiting[waiting.key]
        name = waiting.event.object_key
        if name is not None:
            self._queues.end(name, waiting.key)
            self._unblock_next(name)

    def _unblock_next(self, name: str | None) -> None:
        if name is not None:
            for key in self._queues.next(name):
                self._waiting[key].is_blocked = False
                self._set_due(self._waiting[key], self._now())

    def _set_due(self, waiting: _Waiting, due: float) -> None:
        waiting.due = due
        self._push(waiting)

    def _push(self, waiting: _Waiting) -> None:
        heapq.heappush(self._by_due, (waiting.due, next(self._numbers), waiting.key))

    def _claim_of(self, waiting: _Waiting) -> ClaimedEvent:
        event = waiting.event
        is_outdated = (
            event.state_key is not None
            and event.changed_at is not None
            and self._states.is_outdated(event.state_key, event.changed_at)
        )
        return ClaimedEvent(
            key=waiting.key,
            id=event.id,
            body=event.body,
            app_key=event.app_key,
            attempt=waiting.attempts,
            received_at=to_datetime(waiting.received_at),
            claim=waiting.claim,
            object=event.object_key,
            is_outdated=is_outdated,
        )
