"""A journal in a SQL database: a SQLite file, or PostgreSQL for several machines."""

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
    from ..._storage.sql.schema import Schema
    from .sql_session import SQLSession, record_in
    from .sql_statements import STEPS, Statements, Tables
except ImportError as error:
    raise ImportError(
        "SQLJournal needs further packages: pip install 'tiktok-shop-async[sql]'",
        name=error.name,
    ) from error

from ..._internal.closing import ClosedOnExit
from ..._storage.error_wrapping import wrap_errors
from ...errors import InvalidArgumentError, JournalError
from .base import Record

SCHEMA_LOCK = 0x6A6F75726E616C
"""The PostgreSQL advisory lock that is held while the tables are created."""
MIN_LEASE = 1.0
PAGE = 1000
"""Records per query."""


class SQLJournal(ClosedOnExit):
    """A journal in a SQL database: one row for each key.

    In a SQLite file the tables are created automatically; on a server call `create_schema` at
    deployment. Use the journal as an async context manager, or call `aclose` when done. Its rows
    contain keys and the results of the service, but no arguments and no tokens.
    """

    def __init__(
        self,
        database: str | PathLike[str] | URL | AsyncEngine,
        *,
        table: str = "tiktok_shop_journal",
        batch: str = "default",
        lease: float = 30.0,
    ) -> None:
        """Create the journal; it connects when it is first used.

        Args:
            database: A URL such as ``sqlite:///batch.db`` or ``postgresql://…``, the
                `pathlib.Path` of a SQLite file, or an engine, which is borrowed and never closed.
            table: The name of its table; a second table, ``<table>_schema``, stores the version.
            batch: The name of the batch; several batches in one table may use the same keys.
            lease: Seconds for which a process that has stopped keeps its requests. Use the same
                value in all processes.
        """
        self._tables = Tables(table)
        self._database = Database(
            database,
            Schema(self._tables, STEPS, JournalError),
            lock=SCHEMA_LOCK,
            hint="Use a SQLite file, as in sqlite:///batch.db, or PostgreSQL, or write your own "
            "journal.",
        )
        if not table.isidentifier():
            raise InvalidArgumentError(
                f"table must be an identifier, not {table!r}.", argument="table"
            )
        if lease < MIN_LEASE:
            raise InvalidArgumentError(
                f"lease must be at least {MIN_LEASE:g} second, not {lease:g}.",
                argument="lease",
                hint="Use ten seconds or more.",
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
        """Return a view of another batch over the same connections; it is not closed itself."""
        view = copy.copy(self)
        view._batch = batch
        view._is_view = True
        return view

    async def create_schema(self) -> None:
        """Create the tables or migrate them; several processes may do so at once."""
        await self._database.create_schema(self)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[SQLSession]:
        """Open a session for the batch; its claims are renewed until it is closed."""
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
        """Yield the final records in the order of their keys."""
        await self._database.check_schema(self)
        after = ""
        while True:
            values = {"batch": self._batch, "after": after, "limit": PAGE}
            with wrap_errors(JournalError, self, "reading"):
                async with self._database.connections.connect() as connection:
                    rows = list(await connection.execute(self._statements.read_final, values))
            for row in rows:
                yield record_in(row)
            if len(rows) < PAGE:
                return
            after = rows[-1].key

    async def counts(self) -> dict[str, int]:
        """Return the number of rows by state; ``"sending"`` is not final."""
        await self._database.check_schema(self)
        with wrap_errors(JournalError, self, "counting"):
            async with self._database.connections.connect() as connection:
                rows = await connection.execute(self._statements.count, {"batch": self._batch})
                return {row.state: row.rows for row in rows}

    async def aclose(self) -> None:
        """Close the connections, unless the engine is borrowed."""
        if not self._is_view:
            await self._database.aclose()
