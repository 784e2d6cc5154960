"""Events in the memory of one process."""

from __future__ import annotations

import heapq
import itertools
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Sequence

import attrs

from ...errors import InvalidArgumentError, WebhookStoreFullError
from .base import (
    DEFAULT_MEMORY,
    ClaimedEvent,
    DeadLetter,
    NewEvent,
    StoredCounts,
    WaitingEvent,
    checked_memory,
    moment,
)
from .completions import Completions, Outstanding
from .memory_order import ObjectQueues, States

logger = logging.getLogger("tiktok_shop_async.webhooks")


@attrs.define(eq=False)
class _Waiting:
    key: str
    event: NewEvent
    received_at: float
    due: float
    position: int
    """Among the events of its object."""
    attempts: int = 0
    claim: str = ""
    error: str | None = None
    is_blocked: bool = False
    """Whether an earlier event of its object has its turn."""


class MemoryWebhookStore:
    """Keeps events as long as the process lives; what waits when it dies is lost.

    Each process has its own, so with several workers each of them handles what it got, and a
    repeated delivery may reach another one. A remembered id takes about 200 bytes.
    """

    is_durable = False

    def __init__(
        self,
        *,
        max_waiting: int = 10_000,
        max_dead: int = 10_000,
        remember: float = DEFAULT_MEMORY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make the store.

        Args:
            max_waiting: Events that wait at most; more are refused, and sent again later.
            max_dead: Dead letters that are kept, the latest ones.
            remember: Seconds that an id is remembered, a day at least.
            clock: Returns Unix seconds.
        """
        if max_waiting < 1:
            raise InvalidArgumentError("nothing can wait there.", argument="max_waiting")
        self._max_waiting = max_waiting
        self._max_dead = max_dead
        self._remember = checked_memory(remember)
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._by_due: list[tuple[float, int, str]] = []
        """A heap; what is no longer due then, or no longer there, is passed over."""
        self._numbers = itertools.count()
        self._dead: dict[str, tuple[DeadLetter, _Waiting]] = {}
        self._remembered: dict[str, float] = {}
        """Until when, the first to be forgotten first."""
        self._queues = ObjectQueues()
        self._states = States()
        self._cursors: dict[str, int] = {}
        self._completions = Completions()

    def __repr__(self) -> str:
        return f"<MemoryWebhookStore, {len(self._waiting)} waiting, {len(self._dead)} dead>"

    async def add(self, event: NewEvent) -> bool:
        """Keep an event; False if it is known."""
        key = event.key
        if any(self._is_known(name) for name in (key, *event.keys_of(event.unless))):
            return False
        if len(self._waiting) >= self._max_waiting:
            raise WebhookStoreFullError(
                f"{self._max_waiting} events wait already.",
                hint="Handlers are too slow: give the receiver more concurrency, or take SQL or "
                "Redis as its store.",
            )
        now = self._clock()
        for name in (key, *event.keys_of(event.aliases)):
            self._remembered.pop(name, None)
            self._remembered[name] = now + self._remember
        waiting = _Waiting(key, event, received_at=now, due=now, position=next(self._numbers))
        self._enter([waiting])
        return True

    async def claim(self, most: int, *, lease: float) -> Sequence[ClaimedEvent]:
        """Take what is due."""
        now = self._clock()
        claimed: list[ClaimedEvent] = []
        while len(claimed) < most and self._by_due and self._by_due[0][0] <= now:
            due, _, key = heapq.heappop(self._by_due)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.due == due and not waiting.is_blocked:
                waiting.attempts += 1
                waiting.claim = uuid.uuid4().hex
                waiting.due = now + lease
                claimed.append(self._claimed(waiting))
        for each in claimed:
            self._push(self._waiting[each.key])
        return claimed

    async def renew(self, claims: Collection[ClaimedEvent], *, lease: float) -> None:
        """Let claims last."""
        for claim in claims:
            if waiting := self._held(claim):
                self._set_due(waiting, self._clock() + lease)

    async def finish(self, claim: ClaimedEvent) -> None:
        """Note that an event was handled."""
        waiting = self._waiting.get(claim.key)
        if waiting is None or (waiting.event.object is not None and waiting.claim != claim.claim):
            return
        event = waiting.event
        if event.state_key is not None and event.changed_at is not None:
            until = self._clock() + self._remember
            self._states.handled(event.state_key, event.changed_at, until=until)
        self._leave(waiting)
        self._completions.add(claim.key)

    async def put_back(
        self,
        claim: ClaimedEvent,
        *,
        after: float = 0.0,
        counted: bool = True,
        error: str | None = None,
    ) -> None:
        """Let an event be due again."""
        if waiting := self._held(claim):
            waiting.claim = ""
            waiting.error = waiting.error if error is None else error
            waiting.attempts -= not counted
            self._set_due(waiting, self._clock() + after)

    async def dead_letter(self, claim: ClaimedEvent, *, error: str) -> None:
        """Put an event among the dead letters."""
        waiting = self._held(claim)
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
            died_at=moment(self._clock()),
        )
        self._dead[claim.key] = (letter, waiting)
        self._leave(waiting)
        self._completions.add(claim.key)
        if len(self._dead) > self._max_dead:
            oldest = next(iter(self._dead))
            del self._dead[oldest]
            logger.error("dead letter %s was dropped: there are more than are kept", oldest)

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
                    received_at=moment(waiting.received_at),
                    due_at=moment(waiting.due),
                    is_being_handled=waiting.claim != "" and waiting.due > self._clock(),
                )

    async def join(self) -> None:
        """Wait until the events that wait now are handled or are dead letters."""

        async def snapshot() -> Outstanding:
            awaited = dict(self._waiting)

            async def outstanding() -> list[str]:
                return [key for key, each in awaited.items() if self._waiting.get(key) is each]

            return outstanding

        await self._completions.join(snapshot)

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters."""
        for letter, _ in list(self._dead.values()):
            yield letter

    async def replay(self, *keys: str) -> int:
        """Let dead letters be due again."""
        now = self._clock()
        events = [
            attrs.evolve(each, due=now, attempts=0, claim="", error=None)
            for each in self._taken(keys)
        ]
        self._enter(events)
        return len(events)

    async def discard(self, *keys: str) -> int:
        """Discard dead letters."""
        return len(self._taken(keys))

    async def counts(self) -> StoredCounts:
        """Return how many events there are."""
        return StoredCounts(waiting=len(self._waiting), dead=len(self._dead))

    async def forget(self) -> None:
        """Forget the ids whose time is over."""
        now = self._clock()
        self._states.forget(now)
        while self._remembered:
            name, until = next(iter(self._remembered.items()))
            if until > now:
                return
            del self._remembered[name]

    async def cursor(self, name: str) -> int | None:
        """Return how far a poller has come."""
        return self._cursors.get(name)

    async def move_cursor(self, name: str, to: int) -> None:
        """Keep how far a poller has come."""
        self._cursors[name] = max(to, self._cursors.get(name, to))

    def _is_known(self, name: str) -> bool:
        return (
            self._remembered.get(name, 0.0) > self._clock()
            or name in self._waiting
            or name in self._dead
        )

    def _held(self, claim: ClaimedEvent) -> _Waiting | None:
        """Return what a claim is of, unless somebody else has claimed it since."""
        waiting = self._waiting.get(claim.key)
        return waiting if waiting is not None and waiting.claim == claim.claim else None

    def _taken(self, keys: Collection[str]) -> list[_Waiting]:
        wanted = keys or list(self._dead)
        return [self._dead.pop(each)[1] for each in dict.fromkeys(wanted) if each in self._dead]

    def _enter(self, events: Sequence[_Waiting]) -> None:
        """Let events wait: those of an object for its earlier ones."""
        for waiting in events:
            self._waiting[waiting.key] = waiting
            name = waiting.event.object_key
            if name is None:
                self._push(waiting)
            else:
                waiting.is_blocked = True
                self._queues.enter(name, waiting.position, waiting.key)
        for waiting in events:
            self._begin_turn(waiting.event.object_key)

    def _leave(self, waiting: _Waiting) -> None:
        del self._waiting[waiting.key]
        name = waiting.event.object_key
        if name is not None:
            self._queues.leave(name, waiting.key)
            self._begin_turn(name)

    def _begin_turn(self, name: str | None) -> None:
        if name is not None:
            for key in self._queues.next(name):
                self._waiting[key].is_blocked = False
                self._set_due(self._waiting[key], self._clock())

    def _set_due(self, waiting: _Waiting, due: float) -> None:
        waiting.due = due
        self._push(waiting)

    def _push(self, waiting: _Waiting) -> None:
        heapq.heappush(self._by_due, (waiting.due, next(self._numbers), waiting.key))

    def _claimed(self, waiting: _Waiting) -> ClaimedEvent:
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
            received_at=moment(waiting.received_at),
            claim=waiting.claim,
            object=event.object_key,
            is_outdated=is_outdated,
        )
