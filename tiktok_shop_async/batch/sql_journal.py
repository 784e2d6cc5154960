"""A journal in a SQL database: a SQLite file, or PostgreSQL for many machines."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

try:
    from sqlalchemy import URL, MetaData
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .._sql.engine import is_in_memory, new_engine, shown
    from .._sql.locked_file import locked_file
    from .._sql.schema import Schema
    from .._sql.tables import check_server, migrate_file, migrate_server, open_file
    from .sql_session import ANSWER_TIMEOUT, SQLSession, record_in
    from .sql_statements import STEPS, Statements, Tables
except ImportError as error:
    raise ImportError(
        "SQLJournal needs further packages: pip install 'tiktok-shop-async[sql]'",
        name=error.name,
    ) from error

from .._closing import ClosedOnExit
from .._failures import reported_as
from .._waiting import to_the_end
from ..errors import InvalidArgumentError, JournalError
from .journal import Record

DIALECTS = {"sqlite", "postgresql"}
SCHEMA_LOCK = 0x6A6F75726E616C
"""Of PostgreSQL's advisory locks: held while the tables are made."""
SHORTEST_LEASE = 1.0
PAGE = 1000
"""Records that are read at once."""


class SQLJournal(ClosedOnExit):
    """Keeps a batch's state in a SQL database: one row for each key.

    A SQLite file gets its tables by itself; on a server call `create_schema` at deployment. Use it
    as an async context manager, or call `aclose` when done. Its rows hold keys, and what the
    service said: no arguments, no tokens.
    """

    def __init__(
        self,
        database: str | URL | AsyncEngine,
        *,
        table: str = "tiktok_shop_journal",
        batch: str = "default",
        lease: float = 30.0,
    ) -> None:
        """Make the journal; nothing is connected before it is used.

        Args:
            database: A URL such as ``sqlite:///batch.db`` or ``postgresql://…``, or an engine,
                which is borrowed and never closed.
            table: Name of its table; a second one, of its version, ends in ``_schema``.
            batch: Keeps batches in one table apart; the same key may be in each.
            lease: Seconds that a request belongs to a process that says nothing any more. All
                processes should have the same.
        """
        self._owns_engine = not isinstance(database, AsyncEngine)
        self._engine = database if isinstance(database, AsyncEngine) else new_engine(database)
        dialect = self._engine.dialect.name
        if dialect not in DIALECTS:
            raise InvalidArgumentError(
                f"{dialect} is no database that this journal knows.",
                argument="database",
                hint="Use SQLite or PostgreSQL, or write a journal of your own.",
            )
        if dialect == "sqlite" and is_in_memory(self._engine.url):
            raise InvalidArgumentError(
                "a journal in memory is gone when it is needed.",
                argument="database",
                hint="Name a file, as in sqlite:///batch.db, or run the batch without a journal.",
            )
        if not table.isidentifier():
            raise InvalidArgumentError(f"{table!r} is no name of a table.", argument="table")
        if lease < SHORTEST_LEASE:
            raise InvalidArgumentError(
                f"a lease of {lease:g} seconds is too short to be renewed.",
                argument="lease",
                hint="Give it ten seconds or more.",
            )
        self._is_sqlite = dialect == "sqlite"
        # What is begun and ended in SQLite is said in so many words: drivers guess it otherwise.
        level = "AUTOCOMMIT" if self._is_sqlite else "READ COMMITTED"
        self._connections = self._engine.execution_options(isolation_level=level)
        self._tables = Tables(table)
        self._schema = Schema(self._tables, STEPS, JournalError)
        self._statements = Statements(table, dialect)
        self._batch = batch
        self._lease = lease
        self._checking = asyncio.Lock()
        self._is_checked = asyncio.Event()

    def __repr__(self) -> str:
        return f"<SQLJournal {self._batch!r} in {shown(self._engine.url)}>"

    @property
    def metadata(self) -> MetaData:
        """The tables, for tools such as Alembic."""
        return self._tables.metadata

    def for_batch(self, batch: str) -> Self:
        """Return a view of another batch over the same connections; it needs no closing."""
        view = copy.copy(self)
        view._batch = batch
        view._owns_engine = False
        return view

    async def create_schema(self) -> None:
        """Create the tables, or bring them to the newest version; many may do so at once."""
        with reported_as(JournalError, self, "creating the tables"):
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await to_the_end(self._create_schema())
        self._is_checked.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[SQLSession]:
        """Open a session for one batch; its claims are renewed as long as it is open."""
        await self._check_schema()
        session = SQLSession(
            repr(self), self._connections, self._statements, self._batch, self._lease
        )
        await session.start()
        try:
            yield session
        finally:
            await session.aclose()

    async def records(self) -> AsyncIterator[Record]:
        """Yield what is final, by key."""
        await self._check_schema()
        after = ""
        while True:
            values = {"batch": self._batch, "after": after, "most": PAGE}
            with reported_as(JournalError, self, "reading"):
                async with self._connections.connect() as connection:
                    rows = list(await connection.execute(self._statements.read_on, values))
            for row in rows:
                yield record_in(row)
            if len(rows) < PAGE:
                return
            after = rows[-1].key

    async def counts(self) -> dict[str, int]:
        """Return how many rows there are of each state: ``"sending"`` is not final."""
        await self._check_schema()
        with reported_as(JournalError, self, "counting"):
            async with self._connections.connect() as connection:
                rows = await connection.execute(self._statements.count, {"batch": self._batch})
                return {row.state: row.rows for row in rows}

    async def aclose(self) -> None:
        """Close the connections, unless the engine is borrowed."""
        if self._owns_engine:
            await self._engine.dispose()

    async def _check_schema(self) -> None:
        """See to it, once, that the tables are those of this release."""
        async with self._checking:
            if self._is_checked.is_set():
                return
            if self._is_sqlite:
                await self.create_schema()
                return
            with reported_as(JournalError, self, "looking for the table"):
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    await to_the_end(check_server(self._connections, self._schema))
            self._is_checked.set()

    async def _create_schema(self) -> None:
        if not self._is_sqlite:
            await migrate_server(self._connections, self._schema, lock=SCHEMA_LOCK)
            return
        file = await open_file(self._connections, is_ours=self._owns_engine)
        async with AsyncExitStack() as locks:
            if file is not None:
                await locks.enter_async_context(locked_file(file, self._tables.main.name))
            await migrate_file(self._connections, self._schema, is_ours=self._owns_engine)
