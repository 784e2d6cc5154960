"""A journal in a SQL database: a SQLite file, or PostgreSQL for many machines."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import PathLike
from typing import Self

try:
    from sqlalchemy import URL, MetaData
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ..._storage.sql.database import Database
    from .sql_session import SQLSession, record_in
    from .sql_statements import STEPS, Statements, Tables
except ImportError as error:
    raise ImportError(
        "SQLJournal needs further packages: pip install 'tiktok-shop-async[sql]'",
        name=error.name,
    ) from error

from ..._internal.closing import ClosedOnExit
from ..._internal.error_causes import raise_as
from ...errors import InvalidArgumentError, JournalError
from .base import Record

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
        database: str | PathLike[str] | URL | AsyncEngine,
        *,
        table: str = "tiktok_shop_journal",
        batch: str = "default",
        lease: float = 30.0,
    ) -> None:
        """Make the journal; nothing is connected before it is used.

        Args:
            database: A URL such as ``sqlite:///batch.db`` or ``postgresql://…``, the
                `pathlib.Path` of a SQLite file, or an engine, which is borrowed and never closed.
            table: Name of its table; a second one, of its version, ends in ``_schema``.
            batch: Keeps batches in one table apart; the same key may be in each.
            lease: Seconds that a request belongs to a process that says nothing any more. All
                processes should have the same.
        """
        self._tables = Tables(table)
        self._database = Database(
            database,
            self._tables,
            STEPS,
            error=JournalError,
            lock=SCHEMA_LOCK,
            hint="Use a SQLite file, as in sqlite:///batch.db, or PostgreSQL; or write a journal "
            "of your own.",
        )
        if not table.isidentifier():
            raise InvalidArgumentError(f"{table!r} is no name of a table.", argument="table")
        if lease < SHORTEST_LEASE:
            raise InvalidArgumentError(
                f"a lease of {lease:g} seconds is too short to be renewed.",
                argument="lease",
                hint="Give it ten seconds or more.",
            )
        self._statements = Statements(table, self._database.dialect)
        self._batch = batch
        self._lease = lease
        self._is_view = False

    def __repr__(self) -> str:
        return f"<SQLJournal {self._batch!r} in {self._database}>"

    @property
    def metadata(self) -> MetaData:
        """The tables, for tools such as Alembic."""
        return self._tables.metadata

    def for_batch(self, batch: str) -> Self:
        """Return a view of another batch over the same connections; it needs no closing."""
        view = copy.copy(self)
        view._batch = batch
        view._is_view = True
        return view

    async def create_schema(self) -> None:
        """Create the tables, or bring them to the newest version; many may do so at once."""
        await self._database.create_schema(self)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[SQLSession]:
        """Open a session for one batch; its claims are renewed as long as it is open."""
        await self._database.check_schema(self)
        session = SQLSession(
            repr(self), self._database.connections, self._statements, self._batch, self._lease
        )
        await session.start()
        try:
            yield session
        finally:
            await session.aclose()

    async def records(self) -> AsyncIterator[Record]:
        """Yield what is final, by key."""
        await self._database.check_schema(self)
        after = ""
        while True:
            values = {"batch": self._batch, "after": after, "most": PAGE}
            with raise_as(JournalError, self, "reading"):
                async with self._database.connections.connect() as connection:
                    rows = list(await connection.execute(self._statements.read_on, values))
            for row in rows:
                yield record_in(row)
            if len(rows) < PAGE:
                return
            after = rows[-1].key

    async def counts(self) -> dict[str, int]:
        """Return how many rows there are of each state: ``"sending"`` is not final."""
        await self._database.check_schema(self)
        with raise_as(JournalError, self, "counting"):
            async with self._database.connections.connect() as connection:
                rows = await connection.execute(self._statements.count, {"batch": self._batch})
                return {row.state: row.rows for row in rows}

    async def aclose(self) -> None:
        """Close the connections, unless the engine is borrowed."""
        if not self._is_view:
            await self._database.aclose()
