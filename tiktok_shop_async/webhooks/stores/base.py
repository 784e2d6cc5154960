"""Where events wait to be handled, where their ids are remembered, and where failures end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime
from typing import Protocol

import attrs

from ...errors import InvalidArgumentError

SHORTEST_MEMORY = 24 * 3600.0
"""Seconds that an id is remembered at least: the platform's last attempt comes after 16 hours."""
DEFAULT_MEMORY = 3 * SHORTEST_MEMORY
"""Seconds that an id is remembered unless a store is told otherwise."""


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


@attrs.frozen(kw_only=True)
class NewEvent:
    """An event as it is brought to a store."""

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


@attrs.frozen(kw_only=True)
class ClaimedEvent:
    """An event that is ours to handle until its lease ends."""

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
class DeadLetter:
    """An event that was given up."""

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

        False, and nothing kept, if its id or a name in ``unless`` is remembered. Of many who bring
        the same event at once, one gets True. `WebhookStoreFullError` if there is no room; then
        nothing is remembered either.
        """
        ...

    async def claim(self, most: int, *, lease: float) -> Sequence[ClaimedEvent]:
        """Take up to so many events that are due and nobody has, the longest due first.

        They are ours for ``lease`` seconds; after that, unless renewed, they are due again.
        """
        ...

    async def renew(self, claims: Collection[ClaimedEvent], *, lease: float) -> None:
        """Let claims last for ``lease`` seconds from now; one that was lost stays lost."""
        ...

    async def finish(self, claim: ClaimedEvent) -> None:
        """Note that an event was handled, by whoever: its id stays, and its body goes."""
        ...

    async def put_back(
        self, claim: ClaimedEvent, *, after: float = 0.0, counted: bool = True
    ) -> None:
        """Let an event be due again in ``after`` seconds; nothing if the claim was lost.

        Args:
            counted: Whether the attempt counts.
        """
        ...

    async def bury(self, claim: ClaimedEvent, *, error: str) -> None:
        """Put an event among the dead letters; nothing if the claim was lost."""
        ...

    def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters, the oldest first."""
        ...

    async def replay(self, *ids: str) -> int:
        """Let dead letters be due again, all of them unless ids are given; say how many.

        Their attempts are counted from the start.
        """
        ...

    async def discard(self, *ids: str) -> int:
        """Throw dead letters away, as if they had been handled; say how many."""
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
