"""Where events wait to be handled, where their ids are remembered, and where failures end."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

import attrs

from ...errors import InvalidArgumentError

SHORTEST_MEMORY = 24 * 3600.0
"""Seconds that an id is remembered at least: the platform's last attempt comes after 16 hours."""
DEFAULT_MEMORY = 3 * SHORTEST_MEMORY
"""Seconds that an id is remembered unless a store is told otherwise."""
MAX_KEY_LENGTH = 255
"""Characters of a key; databases limit what an index holds."""


def moment(seconds: float) -> datetime:
    """Return a time in Unix seconds as a datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def checked_memory(seconds: float) -> float:
    """Return for how long ids are remembered; `InvalidArgumentError` if that is too short."""
    if seconds < SHORTEST_MEMORY:
        raise InvalidArgumentError(
            f"{seconds:g} seconds are too short a memory.",
            argument="remember",
            hint="The platform repeats a delivery for 16 hours: remember ids for a day at least.",
        )
    return seconds


def key_of(name: str, app_key: str | None) -> str:
    """Return the key of an app's event or name: printable ASCII of limited length.

    It is readable, ``app_key/name``, unless the name is long or has other characters.
    """
    key = f"{quote(app_key or '', safe='', errors='surrogatepass')}/{name}"
    if len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable():
        return key
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


@attrs.frozen(kw_only=True)
class NewEvent:
    """An event as it is brought to a store. Its id and other names are those of its app."""

    id: str
    body: bytes = attrs.field(repr=False)
    app_key: str | None = None
    aliases: frozenset[str] = frozenset()
    """Further names to remember; none of them is asked for here."""
    unless: frozenset[str] = frozenset()
    """The event is dropped if one of these names is remembered, like its id."""
    object: str | None = None
    """Names what the event is about: the events of one object are handled one after another, in the
    order in which they were added."""
    state: str | None = None
    """Names what the event reports the state of: it is outdated if a later state was handled."""
    changed_at: int | None = None
    """When it came to this state, in any unit that is the same for all events of that state."""

    @property
    def key(self) -> str:
        """The event's key in a store: equal ids of different apps have different keys."""
        return key_of(self.id, self.app_key)

    @property
    def object_key(self) -> str | None:
        """The key of what the event is about, if it is put in order."""
        return None if self.object is None else key_of(self.object, self.app_key)

    @property
    def state_key(self) -> str | None:
        """The key of the state that the event reports, if that has a time."""
        if self.state is None or self.changed_at is None:
            return None
        return key_of(self.state, self.app_key)

    def keys_of(self, names: Iterable[str]) -> frozenset[str]:
        """Return the keys of names such as ``aliases`` and ``unless``."""
        return frozenset(key_of(name, self.app_key) for name in names)


@attrs.frozen(kw_only=True)
class ClaimedEvent:
    """An event that is ours to handle until its lease ends."""

    key: str
    """The event's key in the store."""
    id: str
    body: bytes = attrs.field(repr=False)
    app_key: str | None = None
    attempt: int
    """Which time it was claimed, counted from 1."""
    received_at: datetime
    claim: str
    """Tells this claim from an earlier or later one of the same event."""
    object: str | None = None
    """The key of what the event is about, if it is put in order."""
    is_outdated: bool = False
    """Whether a later state of its object was handled."""


@attrs.frozen(kw_only=True)
class WaitingEvent:
    """An event that waits to be handled, or that is being handled."""

    key: str
    """The event's key in the store."""
    id: str
    body: bytes = attrs.field(repr=False)
    app_key: str | None = None
    attempts: int
    """How often it was claimed."""
    error: str | None = None
    """What the last attempt failed with; None if none has."""
    received_at: datetime
    due_at: datetime
    """When it may be claimed: while it is being handled, the end of its lease."""
    is_being_handled: bool


@attrs.frozen(kw_only=True)
class DeadLetter:
    """An event that was given up."""

    key: str
    """The event's key in the store, for `WebhookStore.replay` and `WebhookStore.discard`."""
    id: str
    body: bytes = attrs.field(repr=False)
    app_key: str | None = None
    attempts: int
    error: str
    """What the last attempt failed with."""
    received_at: datetime
    died_at: datetime


@attrs.frozen(kw_only=True)
class StoredCounts:
    """How many events a store has."""

    waiting: int
    """To be handled, now or later; those that are being handled too."""
    dead: int


class WebhookStore(Protocol):
    """Keeps events until they are handled, and their ids for a day at least.

    All methods raise `WebhookStoreError`. Many tasks call them at once, and so do many processes,
    unless the store is one of this process. Times are those of the store's own clock.
    """

    @property
    def is_durable(self) -> bool:
        """Whether what is kept outlives this process."""
        ...

    async def add(self, event: NewEvent) -> bool:
        """Keep an event, which is surely kept when this returns.

        False, and nothing kept, if its id or a name in ``unless`` is remembered for its app. Events
        that are brought at once, by whatever process, are treated as if one came after the other.
        `WebhookStoreFullError` if there is no room; then nothing is remembered either.
        """
        ...

    async def claim(self, most: int, *, lease: float) -> Sequence[ClaimedEvent]:
        """Take up to so many events that are due and nobody has, the longest due first.

        They are ours for ``lease`` seconds; after that, unless renewed, they are due again.
        Of the events of one ``object``, only the first one can be claimed that is neither handled
        nor a dead letter: while it is claimed or waits for its next attempt, the others are not
        due. A replayed dead letter keeps its position, and does not interrupt one that is claimed.
        """
        ...

    async def renew(self, claims: Collection[ClaimedEvent], *, lease: float) -> None:
        """Let claims last for ``lease`` seconds from now; one that was lost stays lost."""
        ...

    async def finish(self, claim: ClaimedEvent) -> None:
        """Note that an event was handled, by whoever: its id stays, and its body goes.

        Nothing if the event has an ``object`` and the claim was lost: another process is handling
        the event, and the next one has to wait for that. With a ``state``, the time of its latest
        change that was handled is remembered as long as ids are.
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
        """Let an event be due again in ``after`` seconds; nothing if the claim was lost.

        Args:
            counted: Whether the attempt counts.
            error: What the attempt failed with, if it did.
        """
        ...

    async def dead_letter(self, claim: ClaimedEvent, *, error: str) -> None:
        """Put an event among the dead letters; nothing if the claim was lost."""
        ...

    def waiting(self) -> AsyncIterator[WaitingEvent]:
        """Yield the events that wait or are being handled, each once, in no particular order."""
        ...

    async def join(self) -> None:
        """Wait until the events that wait now are handled or are dead letters.

        Whichever process handles them: a store on a server is queried once a second.
        """
        ...

    def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters, the oldest first."""
        ...

    async def replay(self, *keys: str) -> int:
        """Let dead letters be due again, all of them unless keys are given; return how many.

        Their attempts are counted from the start.
        """
        ...

    async def discard(self, *keys: str) -> int:
        """Discard dead letters, as if they had been handled; return how many."""
        ...

    async def counts(self) -> StoredCounts:
        """Return how many events there are."""
        ...

    async def forget(self) -> None:
        """Forget the ids whose time is over; to be called now and then."""
        ...

    async def cursor(self, name: str) -> int | None:
        """Return how far a poller has come; None if it never did."""
        ...

    async def move_cursor(self, name: str, to: int) -> None:
        """Keep how far a poller has come; a cursor never goes back."""
        ...
