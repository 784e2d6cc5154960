"""The interface of stores for waiting events, remembered ids and dead letters."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

import attrs

from ...errors import InvalidArgumentError, WebhookStoreFullError

MIN_RETENTION = 24 * 3600.0
"""Minimum seconds that an id is remembered: the platform's last attempt comes after 16 hours."""
DEFAULT_RETENTION = 3 * MIN_RETENTION
"""Seconds that an id is remembered by default."""
MAX_KEY_LENGTH = 255
"""Maximum characters of a key; databases limit the size of an index entry."""


def to_datetime(seconds: float) -> datetime:
    """Return a time in Unix seconds as a datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def check_retention(seconds: float) -> float:
    """Return ``seconds``; raise `InvalidArgumentError` if ids would be forgotten too early."""
    if seconds < MIN_RETENTION:
        raise InvalidArgumentError(
            f"remember must be at least {MIN_RETENTION:g} seconds, not {seconds:g}.",
            argument="remember",
            hint="The platform repeats a delivery for 16 hours: remember ids for at least a day.",
        )
    return seconds


def check_max_waiting(max_waiting: int) -> int:
    """Return ``max_waiting``; raise `InvalidArgumentError` if it is below 1."""
    if max_waiting < 1:
        raise InvalidArgumentError(
            f"max_waiting must be at least 1, not {max_waiting!r}.", argument="max_waiting"
        )
    return max_waiting


def full_error(max_waiting: int, hint: str) -> WebhookStoreFullError:
    """Return the error of a store that cannot add another event."""
    return WebhookStoreFullError(f"the store is full: {max_waiting} events are waiting.", hint=hint)


def key_of(name: str, app_key: str | None) -> str:
    """Return the key of an app's event or name: printable ASCII of limited length.

    The key is ``app_key/name``, or a hash if that is long or has other characters.
    """
    key = f"{quote(app_key or '', safe='', errors='surrogatepass')}/{name}"
    if len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable():
        return key
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


@attrs.frozen(kw_only=True)
class NewEvent:
    """An event to add to a store. Its id and the other names are scoped to its app."""

    id: str
    body: bytes = attrs.field(repr=False)
    app_key: str | None = None
    aliases: frozenset[str] = frozenset()
    """Further names to remember with the id."""
    unless: frozenset[str] = frozenset()
    """The event is dropped if its id or one of these names is remembered."""
    object: str | None = None
    """The name of the event's object: the events of one object are handled one after another, in
    the order in which they were added."""
    state: str | None = None
    """The name of the state that the event reports: the event is outdated if a later change of that
    state was handled."""
    changed_at: int | None = None
    """When the state changed, in any unit that is the same for all events of that state."""

    @property
    def key(self) -> str:
        """The event's key in a store: equal ids of different apps have different keys."""
        return key_of(self.id, self.app_key)

    @property
    def object_key(self) -> str | None:
        """The key of the event's object, if it is handled in order."""
        return None if self.object is None else key_of(self.object, self.app_key)

    @property
    def state_key(self) -> str | None:
        """The key of the state that the event reports, if it has a time."""
        if self.state is None or self.changed_at is None:
            return None
        return key_of(self.state, self.app_key)

    def keys_of(self, names: Iterable[str]) -> frozenset[str]:
        """Return the keys of names such as ``aliases`` and ``unless``."""
        return frozenset(key_of(name, self.app_key) for name in names)


@attrs.frozen(kw_only=True)
class ClaimedEvent:
    """An event that this process may handle until its lease ends."""

    key: str
    """The event's key in the store."""
    id: str
    body: bytes = attrs.field(repr=False)
    app_key: str | None = None
    attempt: int
    """The number of this attempt, counted from 1."""
    received_at: datetime
    claim: str
    """A token that distinguishes this claim from others of the same event."""
    object: str | None = None
    """The key of the event's object, if it is handled in order."""
    is_outdated: bool = False
    """True if a later state of its object was handled."""


@attrs.frozen(kw_only=True)
class WaitingEvent:
    """An event that waits to be handled, or that is being handled."""

    key: str
    """The event's key in the store."""
    id: str
    body: bytes = attrs.field(repr=False)
    app_key: str | None = None
    attempts: int
    """The number of attempts that began."""
    error: str | None = None
    """The error of the last attempt that failed; None if none has."""
    received_at: datetime
    due_at: datetime
    """When it may be claimed; while it is being handled, the end of its lease."""
    is_being_handled: bool


@attrs.frozen(kw_only=True)
class DeadLetter:
    """An event whose last attempt failed."""

    key: str
    """The event's key in the store, for `WebhookStore.replay` and `WebhookStore.discard`."""
    id: str
    body: bytes = attrs.field(repr=False)
    app_key: str | None = None
    attempts: int
    error: str
    """The error of the last attempt."""
    received_at: datetime
    died_at: datetime


@attrs.frozen(kw_only=True)
class StoredCounts:
    """The number of events in a store."""

    waiting: int
    """Events that wait or are being handled."""
    dead: int
    """Dead letters."""


class WebhookStore(Protocol):
    """A store that keeps events until they are handled, and their ids for at least a day.

    All methods raise `WebhookStoreError`. Many tasks may call them at the same time, and so may
    many processes, unless the store is in memory. Times are those of the store's own clock.
    """

    @property
    def is_durable(self) -> bool:
        """True if events outlive this process."""
        ...

    async def add(self, event: NewEvent) -> bool:
        """Store an event durably, and remember its id and aliases; return whether it is new.

        False, with nothing stored, if its id or a name in ``unless`` is remembered for its app.
        Events that are added at the same time, also by several processes, are added one by one.

        Raises:
            WebhookStoreFullError: The store is full; nothing is remembered either.
        """
        ...

    async def claim(self, limit: int, *, lease: float) -> Sequence[ClaimedEvent]:
        """Claim up to ``limit`` events that are due and not claimed, the longest due first.

        A claim lasts ``lease`` seconds; then, unless it was renewed, the event is due again. Of the
        events of one ``object``, only the first one that is neither handled nor dead-lettered can
        be claimed: while it is claimed or waits for its next attempt, the others are blocked. A
        replayed dead letter keeps its position, and does not interrupt an event that is claimed.
        """
        ...

    async def renew(self, claims: Collection[ClaimedEvent], *, lease: float) -> None:
        """Extend claims to ``lease`` seconds from now, except those that expired and were lost."""
        ...

    async def finish(self, claim: ClaimedEvent) -> None:
        """Remove an event that was handled; its id stays remembered.

        If the event has an ``object`` and the claim was lost, this does nothing: another process is
        handling the event, and the next event has to wait for that. If it has a ``state``, the time
        of the latest handled change is remembered as long as ids are.
        """
        ...

    async def put_back(
        self,
        claim: ClaimedEvent,
        *,
        after: float = 0.0,
        counted: bool = True,
        error: str | None = None,
    ) -> None:
        """Make an event due again in ``after`` seconds, unless the claim was lost.

        Args:
            counted: Whether the attempt counts.
            error: The error of the attempt, if it failed.
        """
        ...

    async def dead_letter(self, claim: ClaimedEvent, *, error: str) -> None:
        """Move an event to the dead letters, unless the claim was lost."""
        ...

    def waiting(self) -> AsyncIterator[WaitingEvent]:
        """Yield the events that wait or are being handled, each once, in any order."""
        ...

    async def join(self) -> None:
        """Wait until the events that wait now are handled or dead-lettered, by any process.

        A store on a server is queried once a second.
        """
        ...

    def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters, the oldest first."""
        ...

    async def replay(self, *keys: str) -> int:
        """Make dead letters due again, by default all of them; return how many.

        Their attempts are counted from 1 again.
        """
        ...

    async def discard(self, *keys: str) -> int:
        """Delete dead letters, by default all of them; return how many."""
        ...

    async def counts(self) -> StoredCounts:
        """Return the number of events."""
        ...

    async def forget(self) -> None:
        """Remove expired ids; to be called from time to time."""
        ...

    async def cursor(self, name: str) -> int | None:
        """Return the position of a poller; None before its first poll."""
        ...

    async def move_cursor(self, name: str, to: int) -> None:
        """Store the position of a poller; a cursor never moves back."""
        ...
