"""The claims of one batch, kept in its journal, or in memory if it has none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from os import PathLike
from typing import Any

from .._storage.sql.location import parse_location
from .._storage.sql.text import is_storable
from ..errors import InvalidArgumentError, JournalError
from .engine import Engine
from .journal.base import Busy, Claim, Claimed, Journal, JournalSession, Record
from .progress import Tally

MIN_PAUSE, MAX_PAUSE = 0.05, 1.0
"""Seconds between two attempts to claim a request that another process has."""


class Claims:
    """The claims of a batch, which wait for requests that another process has claimed."""

    def __init__(self, session: JournalSession, engine: Engine[Any, Any], tally: Tally) -> None:
        self._session = session
        self._engine = engine
        self._tally = tally

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claim | Record:
        """Claim a request; return the claim, or its record if it is final already.

        If another process has the request, wait for its outcome or for the end of its lease, and
        lend the slot to another item meanwhile.

        Raises:
            InvalidArgumentError: The key is not valid, or was used before in this batch.
        """
        _check_key(key)
        claimed = await self._session.claim(key, idempotency_key=idempotency_key)
        if isinstance(claimed, Busy) and not claimed.is_own:
            async with self.release_slot():
                claimed = await self._wait_and_claim(claimed, idempotency_key)
        if not isinstance(claimed, Claim) and claimed.is_own:
            raise InvalidArgumentError(
                f"the key {key!r} was used before in this batch, so this request was not sent.",
                argument="requests",
                hint="Use a different key for each request.",
            )
        assert not isinstance(claimed, Busy), "no other process has it"
        return claimed

    async def _wait_and_claim(self, busy: Busy, idempotency_key: str | None) -> Claimed:
        claimed: Claimed = busy
        with self._tally.waiting():
            while isinstance(claimed, Busy) and not claimed.is_own:
                await self._tally.notify()
                # Not by a clock that tests can move: the lease expires by that of the database.
                await asyncio.sleep(min(max(claimed.seconds_left, MIN_PAUSE), MAX_PAUSE))
                claimed = await self._session.claim(busy.key, idempotency_key=idempotency_key)
        return claimed

    def release_slot(self) -> AbstractAsyncContextManager[None]:
        """Lend the slot of the current item to another one during a long wait."""
        return self._engine.release_slot()

    def check(self, key: str) -> None:
        """Raise `LeaseLostError` unless the claim certainly holds now; needs no I/O."""
        self._session.check(key)

    async def finish(self, record: Record) -> bool:
        """Store the final state of a claimed request; return False if another process has it.

        An error of the journal ends the batch, but the outcome of this request is not lost.
        """
        with self._ending_batch_on_error():
            return await self._session.finish(record)
        return True

    async def release(self, key: str, *, maybe_sent: bool) -> None:
        """Release a claim without a final state, or abandon it if the request may have been sent.

        An error of the journal ends the batch.
        """
        with self._ending_batch_on_error():
            await (self._session.abandon if maybe_sent else self._session.release)(key)

    @contextmanager
    def _ending_batch_on_error(self) -> Iterator[None]:
        try:
            yield
        except JournalError as error:
            self._engine.fail(error)
        except asyncio.CancelledError:
            pass  # the journal completes pending writes before it closes


class InMemorySession:
    """A session without a journal: it remembers which keys this batch has used."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claimed:
        """Claim a key that this batch has not used."""
        if key in self._keys:
            return Busy(key=key, seconds_left=0.0, is_own=True)
        self._keys.add(key)
        return Claim(
            key=key,
            maybe_sent=False,
            first_claimed_at=datetime.now(UTC),
            idempotency_key=idempotency_key,
        )

    def check(self, key: str) -> None:
        """Do nothing: no other process can claim the key."""

    async def finish(self, record: Record) -> bool:
        """Keep the key, so that the request is not sent again."""
        return True

    async def release(self, key: str) -> None:
        """Forget the key, so that the request can be sent again."""
        self._keys.discard(key)

    async def abandon(self, key: str) -> None:
        """Keep the key, so that the request is not sent again."""


@asynccontextmanager
async def open_session(
    journal: Journal | str | PathLike[str] | None,
) -> AsyncIterator[JournalSession]:
    """Open a session of a journal, of a SQLite file by its path, or in memory for None."""
    if journal is None:
        yield InMemorySession()
    elif isinstance(journal, str | PathLike):
        from .journal.sql import SQLJournal

        async with SQLJournal(parse_location(journal)) as own, own.open() as session:
            yield session
    elif not callable(getattr(journal, "open", None)):
        raise InvalidArgumentError(
            f"journal must be a path, a journal such as SQLJournal, or None, not {journal!r}.",
            argument="journal",
        )
    else:
        async with journal.open() as session:
            yield session


def _check_key(key: object) -> None:
    if not isinstance(key, str) or not key or not is_storable(key):
        raise InvalidArgumentError(
            f"key must return non-empty text without NUL or lone surrogates, not {key!r}; "
            "this request was not sent.",
            argument="key",
        )
