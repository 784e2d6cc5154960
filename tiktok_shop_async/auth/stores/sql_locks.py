"""Locks between processes on a server: locked rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import Connection, Table, func, insert, select, true
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..._internal.waiting import GRACE, finish_shielded, poll_until
from .sql_schema import row_id

LOCK_CONNECTIONS = 5
"""The maximum number of connections for the locks of one store."""
MAX_IDLE = 300
"""Seconds after which PostgreSQL releases the lock of a machine that has disappeared."""


class RowLocks:
    """Locked rows, each in an open transaction; the server unlocks them when a connection ends."""

    def __init__(self, engine: AsyncEngine, table: Table) -> None:
        self._engine = engine
        self._table = table
        self._slots = asyncio.Semaphore(LOCK_CONNECTIONS)

    @asynccontextmanager
    async def locked(self, key: str) -> AsyncIterator[None]:
        """Hold the lock of ``key``."""
        async with self._slots:
            connection, row = self._engine.connect(), row_id(key)
            try:
                await finish_shielded(self._prepare(connection, row))
                await poll_until(lambda: finish_shielded(self._lock(connection, row)))
                yield
            finally:
                if connection.sync_connection is not None:
                    # Closing the connection releases the lock; versions protect the values.
                    with suppress(SQLAlchemyError, OSError):
                        async with asyncio.timeout(GRACE):
                            await finish_shielded(connection.close())

    async def _prepare(self, connection: AsyncConnection, row: str) -> None:
        """Connect, and insert the row to lock unless it exists."""
        await connection.start()
        # Its own connection: a lock must not use one of the pool, for which get and put wait.
        await connection.run_sync(Connection.detach)
        existing = select(self._table.c.id).where(self._table.c.id == row)
        if await connection.scalar(existing) is None:
            with suppress(IntegrityError):  # another process has inserted it
                await connection.execute(insert(self._table).values(id=row))
        await connection.commit()

    async def _lock(self, connection: AsyncConnection, row: str) -> bool:
        """Try to lock the row, in a transaction that stays open if that succeeds."""
        if self._engine.dialect.name == "postgresql":
            name, value = "idle_in_transaction_session_timeout", f"{MAX_IDLE}s"
            await connection.execute(select(func.set_config(name, value, true())))
        row_query = select(self._table.c.id).where(self._table.c.id == row)
        if await connection.scalar(row_query.with_for_update(skip_locked=True)) is not None:
            return True
        await connection.rollback()
        return False
