"""Where a batch notes what it is about to send, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import attrs

from ..outcome import Outcome


@attrs.frozen(kw_only=True)
class Claim:
    """A request that is ours to send."""

    key: str
    maybe_sent: bool
    """Somebody had it before and did not finish: find out what happened before you send it."""
    first_claimed_at: datetime
    """Before this it was surely not sent."""
    idempotency_key: str | None = None
    """Of the first claim: the one that was sent, if anything was."""


@attrs.frozen(kw_only=True)
class Record:
    """The final state of a request: it is never sent again."""

    key: str
    status: str
    request_id: str = ""
    code: int | None = None
    message: str = ""
    hint: str | None = None
    attempts: int = 0
    details: Mapping[str, Any] = attrs.field(factory=dict)
    """Further facts, as JSON has them."""
    is_own: bool = False
    """It was written in this session."""


@attrs.frozen(kw_only=True)
class Busy:
    """A request that somebody else is at."""

    key: str
    seconds_left: float
    """Until it can be claimed, unless its owner goes on living."""
    is_own: bool = False
    """It was claimed in this session, by another task."""


Claimed: TypeAlias = Claim | Record | Busy


def record_of(outcome: Outcome[Any], **details: Any) -> Record:
    """Return what a journal keeps of an outcome that has a key."""
    assert outcome.key is not None, "it was claimed by its key"
    return Record(
        key=outcome.key,
        status=outcome.status,
        request_id=outcome.request_id,
        code=outcome.code,
        message=outcome.message,
        hint=outcome.hint,
        attempts=outcome.attempts,
        details=details,
    )


class JournalSession(Protocol):
    """A journal that is open; its claims stay ours as long as it is.

    All methods raise `JournalError`. Many tasks call them at once.
    """

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claimed:
        """Claim a request for as long as this session lives; durable when it returns.

        Of all sessions, one alone gets a `Claim` at a time.
        """
        ...

    def check(self, key: str) -> None:
        """Raise `LeaseLostError` unless the claim surely holds right now; takes no time."""
        ...

    async def finish(self, record: Record) -> bool:
        """Make a claimed request final; False, and nothing done, if it is ours no longer."""
        ...

    async def release(self, key: str) -> None:
        """Take a claim back: surely nothing was sent, so whoever comes next may send it."""
        ...

    async def abandon(self, key: str) -> None:
        """Give a claim up: it may have been sent, and whoever comes next has to find out."""
        ...


class Journal(Protocol):
    """Keeps the state of requests by key, over restarts and for all who share it."""

    def open(self) -> AbstractAsyncContextManager[JournalSession]:
        """Open a session; claims that it still has in the end are left to expire."""
        ...
