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
    checked_memory,
    moment,
)

logger = logging.getLogger("tiktok_shop_async.webhooks")


@attrs.define(eq=False)
class _Waiting:
    key: str
    event: NewEvent
    received_at: float
    due: float
    attempts: int = 0
    claim: str = ""


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
        self._dead: dict[str, DeadLetter] = {}
        self._remembered: dict[str, float] = {}
        """Until when, the first to be forgotten first."""
        self._cursors: dict[str, int] = {}

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
        self._waiting[key] = waiting = _Waiting(key, event, received_at=now, due=now)
        self._push(waiting)
        return True

    async def claim(self, most: int, *, lease: float) -> Sequence[ClaimedEvent]:
        """Take what is due."""
        now = self._clock()
        claimed: list[ClaimedEvent] = []
        while len(claimed) < most and self._by_due and self._by_due[0][0] <= now:
            due, _, key = heapq.heappop(self._by_due)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.due == due:
                waiting.attempts += 1
                waiting.claim = uuid.uuid4().hex
                waiting.due = now + lease
                claimed.append(_claimed(waiting))
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
        self._waiting.pop(claim.key, None)

    async def put_back(
        self, claim: ClaimedEvent, *, after: float = 0.0, counted: bool = True
    ) -> None:
        """Let an event be due again."""
        if waiting := self._held(claim):
            waiting.claim = ""
            waiting.attempts -= not counted
            self._set_due(waiting, self._clock() + after)

    async def bury(self, claim: ClaimedEvent, *, error: str) -> None:
        """Put an event among the dead letters."""
        if self._held(claim) is None:
            return
        del self._waiting[claim.key]
        self._dead[claim.key] = DeadLetter(
            key=claim.key,
            id=claim.id,
            body=claim.body,
            app_key=claim.app_key,
            attempts=claim.attempt,
            error=error,
            received_at=claim.received_at,
            died_at=moment(self._clock()),
        )
        if len(self._dead) > self._max_dead:
            oldest = next(iter(self._dead))
            del self._dead[oldest]
            logger.error("dead letter %s was dropped: there are more than are kept", oldest)

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters."""
        for letter in list(self._dead.values()):
            yield letter

    async def replay(self, *keys: str) -> int:
        """Let dead letters be due again."""
        letters = self._taken(keys)
        for letter in letters:
            event = NewEvent(id=letter.id, body=letter.body, app_key=letter.app_key)
            received_at = letter.received_at.timestamp()
            waiting = _Waiting(letter.key, event, received_at=received_at, due=self._clock())
            self._waiting[letter.key] = waiting
            self._push(waiting)
        return len(letters)

    async def discard(self, *keys: str) -> int:
        """Discard dead letters."""
        return len(self._taken(keys))

    async def counts(self) -> StoredCounts:
        """Return how many events there are."""
        return StoredCounts(waiting=len(self._waiting), dead=len(self._dead))

    async def forget(self) -> None:
        """Forget the ids whose time is over."""
        now = self._clock()
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

    def _taken(self, keys: Collection[str]) -> list[DeadLetter]:
        wanted = keys or list(self._dead)
        return [self._dead.pop(each) for each in dict.fromkeys(wanted) if each in self._dead]

    def _set_due(self, waiting: _Waiting, due: float) -> None:
        waiting.due = due
        self._push(waiting)

    def _push(self, waiting: _Waiting) -> None:
        heapq.heappush(self._by_due, (waiting.due, next(self._numbers), waiting.key))


def _claimed(waiting: _Waiting) -> ClaimedEvent:
    return ClaimedEvent(
        key=waiting.key,
        id=waiting.event.id,
        body=waiting.event.body,
        app_key=waiting.event.app_key,
        attempt=waiting.attempts,
        received_at=moment(waiting.received_at),
        claim=waiting.claim,
    )
