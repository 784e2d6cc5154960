"""The claims of one batch: in its journal, or in memory where it has none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from os import PathLike
from typing import Any

from .._storage.sql.location import place_of
from .._storage.sql.text import is_storable
from ..errors import InvalidArgumentError, JournalError
from .driver import Driver
from .journal.base import Busy, Claim, Claimed, Journal, JournalSession, Record
from .progress import Tally

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between two looks at a request that another process has."""


class Claims:
    """Gets requests for a batch, which waits for those that another process is at."""

    def __init__(self, session: JournalSession, driver: Driver[Any, Any], tally: Tally) -> None:
        self.journal = session
        self._driver = driver
        self._tally = tally

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claim | Record:
        """Return a claim, or what is final; `InvalidArgumentError` for a key that cannot be used.

        That is one that came before in this batch, or that is no text.

        Where another process has it, its outcome is waited for, or that its lease is over;
        meanwhile another item has the place in the batch.
        """
        _check_key(key)
        claimed = await self.journal.claim(key, idempotency_key=idempotency_key)
        if isinstance(claimed, Busy) and not claimed.is_own:
            async with self.release_slot():
                with self._tally.waiting():
                    while isinstance(claimed, Busy) and not claimed.is_own:
                        await self._tally.notify()
                        pause = max(claimed.seconds_left, SHORTEST_PAUSE)
                        await asyncio.sleep(min(pause, LONGEST_PAUSE))
                        claimed = await self.journal.claim(key, idempotency_key=idempotency_key)
        if not isinstance(claimed, Claim) and claimed.is_own:
            raise InvalidArgumentError(
                f"the key {key!r} came before in this batch, so this request was not sent.",
                argument="requests",
                hint="Give each request a key of its own.",
            )
        assert not isinstance(claimed, Busy), "nobody else has it"
        return claimed

    def release_slot(self) -> AbstractAsyncContextManager[None]:
        """Let another item have this one's place for the time of a long wait."""
        return self._driver.release_slot()

    def check(self, key: str) -> None:
        """Raise `LeaseLostError` unless the claim surely holds right now; takes no time."""
        self.journal.check(key)

    async def finish(self, record: Record) -> bool:
        """Make a claimed request final; False if another process has it by now.

        A journal that fails ends the batch, but not at the cost of an outcome that is known.
        """
        with self._kept():
            return await self.journal.finish(record)
        return True

    async def give_back(self, key: str, *, maybe_sent: bool) -> None:
        """Give a claim up without a final state; a journal that fails ends the batch."""
        with self._kept():
            await (self.journal.abandon if maybe_sent else self.journal.release)(key)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except JournalError as error:
            self._driver.fail(error)
        except asyncio.CancelledError:
            pass  # the journal does what it was asked before it closes


class KeysInMemory:
    """Keeps what a batch without a journal has to know: the keys that it had."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claimed:
        """Claim a key that did not come before."""
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
        """Do nothing: nobody else can have it."""

    async def finish(self, record: Record) -> bool:
        """Keep the key, so that it is not sent again."""
        return True

    async def release(self, key: str) -> None:
        """Let the key come again."""
        self._keys.discard(key)

    async def abandon(self, key: str) -> None:
        """Keep the key, so that it is not sent again."""


@asynccontextmanager
async def opened(
    journal: Journal | str | PathLike[str] | None,
) -> AsyncIterator[JournalSession]:
    """Open a journal, which a path names as a SQLite file; without one, keys are in memory."""
    if journal is None:
        yield KeysInMemory()
    elif isinstance(journal, str | PathLike):
        from .journal.sql import SQLJournal

        async with SQLJournal(place_of(journal)) as of_our_own, of_our_own.open() as session:
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
            f"{key!r} cannot be a key, so this request was not sent.",
            argument="key",
            hint="A key is text that is not empty, and has no NUL and no lone surrogates.",
        )
