"""The protocol of journals, which record what a batch is about to send and its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import attrs

from ..outcome import Outcome


@attrs.frozen(kw_only=True)
class Claim:
    """A request that this session may send."""

    key: str
    maybe_sent: bool
    """True if an earlier claim was not finished: look the request up before you send it."""
    first_claimed_at: datetime
    """The time of the first claim; the request was not sent before it."""
    idempotency_key: str | None = None
    """The key of the first claim; if anything was sent, it was sent with this key."""


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
    """Further values, of the types of JSON."""
    is_own: bool = False
    """True if it was written in this session."""


@attrs.frozen(kw_only=True)
class Busy:
    """A request that another task or process has claimed."""

    key: str
    seconds_left: float
    """Seconds until it can be claimed, unless its owner renews the lease."""
    is_own: bool = False
    """True if it was claimed in this session, by another task."""


Claimed: TypeAlias = Claim | Record | Busy


def record_of(outcome: Outcome[Any], **details: Any) -> Record:
    """Return the record of an outcome that has a key."""
    assert outcome.key is not None, "the request was claimed by its key"
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
    """An open session of a journal, which keeps its claims until it is closed.

    All methods raise `JournalError`. Many tasks call them concurrently.
    """

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claimed:
        """Claim a request until this session is closed; the claim is durable on return.

        At any time at most one session has a `Claim` of a request.
        """
        ...

    def check(self, key: str) -> None:
        """Raise `LeaseLostError` unless the claim certainly holds now; needs no I/O."""
        ...

    async def finish(self, record: Record) -> bool:
        """Store the final state of a claimed request; do nothing and return False if it is lost."""
        ...

    async def release(self, key: str) -> None:
        """Release a claim: nothing was sent, so the next session may send the request."""
        ...

    async def abandon(self, key: str) -> None:
        """Abandon a claim: the request may have been sent, so the next session must look it up."""
        ...


class Journal(Protocol):
    """A store for the state of requests by key, across restarts and for several processes."""

    def open(self) -> AbstractAsyncContextManager[JournalSession]:
        """Open a session; claims that are left at its end expire."""
        ...
