"""Events in a SQL database: a SQLite file, or PostgreSQL for many machines."""

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
    from .sql_statements import BLOCKED, DEAD, STEPS, WAITING, Statements, Tables, Verb, as_names
    from .sql_transaction import Transaction
except ImportError as error:
    raise ImportError(
        "SQLWebhookStore needs further packages: pip install 'tiktok-shop-async[sql]'",
        name=error.name,
    ) from error

from ..._internal.closing import ClosedOnExit
from ...errors import InvalidArgumentError, WebhookStoreError
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

SCHEMA_LOCK = 0x776562686F6F6B
"""Of PostgreSQL's advisory locks: held while the tables are made."""
PAGE = 100
"""Events that are read at once."""
FORGOTTEN_AT_ONCE = 10_000


class SQLWebhookStore(ClosedOnExit):
    """Keeps events in a SQL database until they are handled; a crash loses none.

    A SQLite file gets its tables by itself; on a server call `create_schema` at deployment. Use it
    as an async context manager, or call `aclose` when done. Its rows hold what the platform sent,
    buyers' data included, until an event is handled or discarded.
    """

    is_durable = True

    def __init__(
        self,
        database: str | PathLike[str] | URL | AsyncEngine,
        *,
        table_prefix: str = "tiktok_shop_webhook_",
        remember: float = DEFAULT_MEMORY,
    ) -> None:
        """Make the store; nothing is connected before it is used.

        Args:
            database: A URL such as ``sqlite:///webhooks.db`` or ``postgresql://…``, the
                `pathlib.Path` of a SQLite file, or an engine, which is borrowed and never closed.
            table_prefix: Begins the names of its six tables.
            remember: Seconds that an id is remembered, a day at least.
        """
        if not table_prefix.isidentifier():
            raise InvalidArgumentError(
                f"{table_prefix!r} begins no name of a table.", argument="table_prefix"
            )
        self._tables = Tables(table_prefix)
        self._database = Database(
            database,
            Schema(self._tables, STEPS, WebhookStoreError),
            lock=SCHEMA_LOCK,
            hint="Use a SQLite file, as in sqlite:///webhooks.db, or PostgreSQL; or "
            "RedisWebhookStore, or MemoryWebhookStore, which needs no server.",
        )
        self._remember = checked_memory(remember)
        self._statements = Statements(self._tables, self._database.dialect)
        self._transaction = Transaction(
            self._statements,
            ObjectOrder(self._tables, self._statements, self._database.dialect),
        )
        self._numbers = itertools.count()
        self._completions = Completions()
        self._commit: GroupCommit[Verb] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<SQLWebhookStore in {self._database}>"

    @property
    def metadata(self) -> MetaData:
        """The tables, for tools such as Alembic."""
        return self._tables.metadata

    async def create_schema(self) -> None:
        """Create the tables, or bring them to the newest version; many may do so at once."""
        await self._database.create_schema(self)

    async def aclose(self) -> None:
        """Carry out what was asked, and close the connections, unless the engine is borrowed."""
        try:
            if self._commit is not None and self._loop is asyncio.get_running_loop():
                await self._commit.aclose()
        finally:
            self._commit = None  # not before: what it has claimed for nobody is put back
        await self._database.aclose()

    # What WebhookStore asks for -------------------------------------------------------------------

    async def add(self, event: NewEvent) -> bool:
        """Keep an event; False if it is known."""
        is_new: bool = await self._ask(Verb.ADD, new=event)
        return is_new

    async def claim(self, most: int, *, lease: float) -> Sequence[ClaimedEvent]:
        """Take what is due."""
        claimed: list[ClaimedEvent] = await self._ask(
            Verb.CLAIM, most=most, seconds=lease, claim=uuid.uuid4().hex
        )
        return claimed

    async def renew(self, claims: Collection[ClaimedEvent], *, lease: float) -> None:
        """Let claims last."""
        wishes = [
            self._ask(Verb.RENEW, event=each.key, claim=each.claim, seconds=lease)
            for each in claims
        ]
        await asyncio.gather(*wishes)

    async def finish(self, claim: ClaimedEvent) -> None:
        """Note that an event was handled."""
        verb = Verb.FINISH if claim.object is None else Verb.FINISH_IN_ORDER
        await self._ask(verb, event=claim.key, claim=claim.claim, object=claim.object)
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
        await self._ask(
            Verb.PUT_BACK,
            event=claim.key,
            claim=claim.claim,
            seconds=after,
            uncounted=int(not counted),
            error=storable(error),
        )

    async def dead_letter(self, claim: ClaimedEvent, *, error: str) -> None:
        """Put an event among the dead letters."""
        await self._ask(
            Verb.DEAD_LETTER,
            event=claim.key,
            claim=claim.claim,
            object=claim.object,
            error=storable(error),
        )
        self._completions.add(claim.key)

    async def waiting(self) -> AsyncIterator[WaitingEvent]:
        """Yield the events that wait or are being handled."""
        key = ""
        while True:
            rows = await self._run(self._statements.waiting, id=key, most=PAGE)
            for row in rows:
                yield WaitingEvent(
                    key=row.id,
                    id=row.id if row.event_id is None else row.event_id,
                    body=bytes(row.body),
                    app_key=row.app_key,
                    attempts=row.attempts,
                    error=row.error,
                    received_at=moment(row.received_at),
                    due_at=moment(row.due),
                    is_being_handled=bool(row.is_being_handled),
                )
            if len(rows) < PAGE:
                return
            key = rows[-1].id

    async def join(self) -> None:
        """Wait until the events that wait now are handled or are dead letters."""

        async def snapshot() -> Outstanding:
            ((now,),) = await self._run(self._statements.now)

            async def outstanding() -> list[str]:
                statement = self._statements.outstanding
                return [row.id for row in await self._run(statement, moment=now, most=PAGE)]

            return outstanding

        await self._completions.join(snapshot)

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters, the oldest first."""
        died_at, key = 0.0, ""
        while True:
            rows = await self._run(self._statements.dead, died_at=died_at, id=key, most=PAGE)
            for row in rows:
                yield DeadLetter(
                    key=row.id,
                    id=row.id if row.event_id is None else row.event_id,
                    body=bytes(row.body),
                    app_key=row.app_key,
                    attempts=row.attempts,
                    error=row.error,
                    received_at=moment(row.received_at),
                    died_at=moment(row.died_at),
                )
            if len(rows) < PAGE:
                return
            died_at, key = rows[-1].died_at, rows[-1].id

    async def replay(self, *keys: str) -> int:
        """Let dead letters be due again."""
        return len(await self._run(self._statements.replay, Verb.REPLAY, **_these(keys)))

    async def discard(self, *keys: str) -> int:
        """Discard dead letters."""
        return len(await self._run(self._statements.discard, Verb.RUN_ONCE, **_these(keys)))

    async def counts(self) -> StoredCounts:
        """Return how many events there are."""
        rows = await self._run(self._statements.counts)
        found = {row.state: row.rows for row in rows}
        waiting = found.get(WAITING, 0) + found.get(BLOCKED, 0)
        return StoredCounts(waiting=waiting, dead=found.get(DEAD, 0))

    async def forget(self) -> None:
        """Forget the ids whose time is over, some thousands in a transaction.

        Events of objects whose earlier events were deleted by others are unblocked.
        """
        statements = self._statements
        for statement in (statements.forget, statements.forget_objects, statements.forget_states):
            forgotten = FORGOTTEN_AT_ONCE
            while forgotten == FORGOTTEN_AT_ONCE:
                rows = await self._run(statement, seconds=self._remember, most=FORGOTTEN_AT_ONCE)
                forgotten = len(rows)
        while stalled := await self._run(statements.stalled, most=PAGE):
            await self._ask(Verb.BEGIN_TURNS, objects=[row.object for row in stalled])

    async def cursor(self, name: str) -> int | None:
        """Return how far a poller has come."""
        rows = await self._run(self._statements.cursor, name=name)
        return rows[0].position if rows else None

    async def move_cursor(self, name: str, to: int) -> None:
        """Keep how far a poller has come."""
        await self._run(self._statements.move_cursor, name=name, position=to)

    # How it is done -------------------------------------------------------------------------------

    async def _run(self, statement: TextClause, verb: Verb = Verb.RUN, **values: Any) -> list[Any]:
        rows: list[Any] = await self._ask(verb, statement=statement, values=values)
        return rows

    async def _ask(self, verb: Verb, **row: Any) -> Any:
        loop = asyncio.get_running_loop()
        if self._commit is None or self._loop is not loop:
            if self._commit is not None:  # its loop has ended, as those of tests do
                await self._database.drop_connections()
            await self._database.check_schema(self)
        if self._commit is None or self._loop is not loop:  # still, after what was awaited
            self._loop = loop
            self._commit = GroupCommit(
                repr(self),
                self._database.connections,
                self._transaction,
                CommitPolicy(
                    error=WebhookStoreError,
                    hint="What was acknowledged is kept, and will be handled.",
                    droppable={Verb.ADD, Verb.CLAIM},
                    retryable={*Verb} - {Verb.REPLAY, Verb.RUN_ONCE},
                ),
                on_unclaimed=self._undo,
            )
            self._commit.start()
        # Each wish has a number: two of them may be about one event.
        return await self._commit.write(verb, str(next(self._numbers)), **row)

    def _undo(self, verb: Verb, answer: Any) -> None:
        if verb is Verb.CLAIM and answer and self._commit is not None:  # whoever asked is gone
            for each in answer:
                self._commit.submit(
                    Verb.PUT_BACK,
                    str(next(self._numbers)),
                    event=each.key,
                    claim=each.claim,
                    seconds=0.0,
                    uncounted=1,
                    error=None,
                )


def _these(keys: Sequence[str]) -> dict[str, Any]:
    return {"all": not keys, **as_names(filter(is_storable, keys))}
