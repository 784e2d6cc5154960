"""A store of events in a SQL database: a SQLite file, or PostgreSQL for several machines."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from os import PathLike
from typing import Any

try:
    from sqlalchemy import URL, MetaData, TextClause
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ..._storage.sql.database import Database
    from ..._storage.sql.group_commit import CommitPolicy, GroupCommit
    from ..._storage.sql.schema import Schema
    from ..._storage.sql.text import is_storable, storable
    from .sql_order import ObjectOrder
    from .sql_statements import Statements, Verb, as_names
    from .sql_tables import BLOCKED, DEAD, STEPS, WAITING, Tables
    from .sql_transaction import Transaction
except ImportError as error:
    raise ImportError(
        "SQLWebhookStore needs further packages: pip install 'tiktok-shop-async[sql]'",
        name=error.name,
    ) from error

from ..._internal.closing import ClosedOnExit
from ...errors import InvalidArgumentError, WebhookStoreError
from .base import (
    DEFAULT_RETENTION,
    ClaimedEvent,
    DeadLetter,
    NewEvent,
    StoredCounts,
    WaitingEvent,
    check_retention,
    to_datetime,
)
from .completion_tracker import CompletionTracker, Outstanding

SCHEMA_LOCK = 0x776562686F6F6B
"""The key of the advisory lock that PostgreSQL holds while the tables are created."""
PAGE = 100
"""Events in one response."""
FORGET_PAGE = 10_000
"""Expired rows that are deleted in one transaction."""


class SQLWebhookStore(ClosedOnExit):
    """A store in a SQL database that keeps events until they are handled; a crash loses none.

    In a SQLite file, it creates its tables itself; on a server, call `create_schema` at deployment.
    Use it as an async context manager, or call `aclose` when done. Its rows contain what the
    platform sent, including buyers' data, until an event is handled or discarded.
    """

    is_durable = True

    def __init__(
        self,
        database: str | PathLike[str] | URL | AsyncEngine,
        *,
        table_prefix: str = "tiktok_shop_webhook_",
        remember: float = DEFAULT_RETENTION,
    ) -> None:
        """Create the store; it connects when it is first used.

        Args:
            database: A URL such as ``sqlite:///webhooks.db`` or ``postgresql://…``, the
                `pathlib.Path` of a SQLite file, or an engine, which is borrowed and never closed.
            table_prefix: The start of the names of its six tables.
            remember: Seconds for which an id is remembered, at least a day.
        """
        if not table_prefix.isidentifier():
            raise InvalidArgumentError(
                f"table_prefix must be an identifier, not {table_prefix!r}.",
                argument="table_prefix",
            )
        self._tables = Tables(table_prefix)
        self._database = Database(
            database,
            Schema(self._tables, STEPS, WebhookStoreError),
            lock=SCHEMA_LOCK,
            hint="Use a SQLite file, as in sqlite:///webhooks.db, or PostgreSQL; or use "
            "RedisWebhookStore, or MemoryWebhookStore, which needs no server.",
        )
        self._remember = check_retention(remember)
        self._statements = Statements(self._tables, self._database.dialect)
        self._transaction = Transaction(
            self._statements,
            ObjectOrder(self._tables, self._statements, self._database.dialect),
        )
        self._numbers = itertools.count()
        self._tracker = CompletionTracker()
        self._commit: GroupCommit[Verb] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<SQLWebhookStore in {self._database}>"

    @property
    def metadata(self) -> MetaData:
        """The tables, for tools such as Alembic."""
        return self._tables.metadata

    async def create_schema(self) -> None:
        """Create the tables, or migrate them to the newest version.

        Several processes may call this at the same time.
        """
        await self._database.create_schema(self)

    async def aclose(self) -> None:
        """Finish pending writes, and close the connections, unless the engine is borrowed."""
        try:
            if self._commit is not None and self._loop is asyncio.get_running_loop():
                await self._commit.aclose()
        finally:
            self._commit = None  # not before: claims of cancelled callers are put back
        await self._database.aclose()

    # The WebhookStore Protocol --------------------------------------------------------------------

    async def add(self, event: NewEvent) -> bool:
        """Store an event and return whether it is new."""
        is_new: bool = await self._write(Verb.ADD, new=event)
        return is_new

    async def claim(self, limit: int, *, lease: float) -> Sequence[ClaimedEvent]:
        """Claim events that are due."""
        claimed: list[ClaimedEvent] = await self._write(
            Verb.CLAIM, limit=limit, seconds=lease, claim=uuid.uuid4().hex
        )
        return claimed

    async def renew(self, claims: Collection[ClaimedEvent], *, lease: float) -> None:
        """Extend claims."""
        writes = [
            self._write(Verb.RENEW, event=each.key, claim=each.claim, seconds=lease)
            for each in claims
        ]
        await asyncio.gather(*writes)

    async def finish(self, claim: ClaimedEvent) -> None:
        """Remove an event that was handled."""
        verb = Verb.FINISH if claim.object is None else Verb.FINISH_IN_ORDER
        await self._write(verb, event=claim.key, claim=claim.claim, object=claim.object)
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
        await self._write(
            Verb.PUT_BACK,
            event=claim.key,
            claim=claim.claim,
            seconds=after,
            uncounted=int(not counted),
            error=storable(error),
        )

    async def dead_letter(self, claim: ClaimedEvent, *, error: str) -> None:
        """Move an event to the dead letters."""
        await self._write(
            Verb.DEAD_LETTER,
            event=claim.key,
            claim=claim.claim,
            object=claim.object,
            error=storable(error),
        )
        self._tracker.add(claim.key)

    async def waiting(self) -> AsyncIterator[WaitingEvent]:
        """Yield the events that wait or are being handled."""
        key = ""
        while True:
            rows = await self._run(self._statements.waiting, id=key, limit=PAGE)
            for row in rows:
                yield WaitingEvent(
                    key=row.id,
                    id=row.id if row.event_id is None else row.event_id,
                    body=bytes(row.body),
                    app_key=row.app_key,
                    attempts=row.attempts,
                    error=row.error,
                    received_at=to_datetime(row.received_at),
                    due_at=to_datetime(row.due),
                    is_being_handled=bool(row.is_being_handled),
                )
            if len(rows) < PAGE:
                return
            key = rows[-1].id

    async def join(self) -> None:
        """Wait until the events that wait now are handled or dead-lettered."""

        async def snapshot() -> Outstanding:
            ((now,),) = await self._run(self._statements.now)

            async def outstanding() -> list[str]:
                statement = self._statements.outstanding
                return [row.id for row in await self._run(statement, moment=now, limit=PAGE)]

            return outstanding

        await self._tracker.join(snapshot)

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters, the oldest first."""
        died_at, key = 0.0, ""
        while True:
            rows = await self._run(self._statements.dead, died_at=died_at, id=key, limit=PAGE)
            for row in rows:
                yield DeadLetter(
                    key=row.id,
                    id=row.id if row.event_id is None else row.event_id,
                    body=bytes(row.body),
                    app_key=row.app_key,
                    attempts=row.attempts,
                    error=row.error,
                    received_at=to_datetime(row.received_at),
                    died_at=to_datetime(row.died_at),
                )
            if len(rows) < PAGE:
                return
            died_at, key = rows[-1].died_at, rows[-1].id

    async def replay(self, *keys: str) -> int:
        """Make dead letters due again."""
        return len(await self._run(self._statements.replay, Verb.REPLAY, **_selection(keys)))

    async def discard(self, *keys: str) -> int:
        """Delete dead letters."""
        return len(await self._run(self._statements.discard, Verb.RUN_ONCE, **_selection(keys)))

    async def counts(self) -> StoredCounts:
        """Return the number of events."""
        rows = await self._run(self._statements.counts)
        found = {row.state: row.rows for row in rows}
        waiting = found.get(WAITING, 0) + found.get(BLOCKED, 0)
        return StoredCounts(waiting=waiting, dead=found.get(DEAD, 0))

    async def forget(self) -> None:
        """Remove expired ids, some thousands in a transaction.

        Unblocks events of objects whose earlier events were deleted from outside.
        """
        statements = self._statements
        for statement in (statements.forget, statements.forget_objects, statements.forget_states):
            forgotten = FORGET_PAGE
            while forgotten == FORGET_PAGE:
                rows = await self._run(statement, seconds=self._remember, limit=FORGET_PAGE)
                forgotten = len(rows)
        while stalled := await self._run(statements.stalled, limit=PAGE):
            await self._write(Verb.UNBLOCK, objects=[row.object for row in stalled])

    async def cursor(self, name: str) -> int | None:
        """Return the position of a poller."""
        rows = await self._run(self._statements.cursor, name=name)
        return rows[0].position if rows else None

    async def move_cursor(self, name: str, to: int) -> None:
        """Store the position of a poller."""
        await self._run(self._statements.move_cursor, name=name, position=to)

    # Transactions ---------------------------------------------------------------------------------

    async def _run(self, statement: TextClause, verb: Verb = Verb.RUN, **values: Any) -> list[Any]:
        rows: list[Any] = await self._write(verb, statement=statement, values=values)
        return rows

    async def _write(self, verb: Verb, **row: Any) -> Any:
        loop = asyncio.get_running_loop()
        if self._commit is None or self._loop is not loop:
            if self._commit is not None:  # its event loop has ended, for example that of a test
                await self._database.drop_connections()
            await self._database.check_schema(self)
        if self._commit is None or self._loop is not loop:  # unless another task did
            self._loop = loop
            self._commit = GroupCommit(
                repr(self),
                self._database.connections,
                self._transaction,
                CommitPolicy(
                    error=WebhookStoreError,
                    hint="Acknowledged events are stored, and will be handled.",
                    droppable={Verb.ADD, Verb.CLAIM},
                    retryable={*Verb} - {Verb.REPLAY, Verb.RUN_ONCE},
                ),
                on_unclaimed=self._undo,
            )
            self._commit.start()
        # Each write has a number, because two of them may be about one event.
        return await self._commit.write(verb, str(next(self._numbers)), **row)

    def _undo(self, verb: Verb, result: Any) -> None:
        if verb is Verb.CLAIM and result and self._commit is not None:  # the caller was cancelled
            for each in result:
                self._commit.submit(
                    Verb.PUT_BACK,
                    str(next(self._numbers)),
                    event=each.key,
                    claim=each.claim,
                    seconds=0.0,
                    uncounted=1,
                    error=None,
                )


def _selection(keys: Sequence[str]) -> dict[str, Any]:
    return {"all": not keys, **as_names(filter(is_storable, keys))}
