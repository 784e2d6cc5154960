"""What keeps other processes out on a server: locked rows."""

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
"""How many connections to a server the locks of one store have at once."""
ABANDONED_AFTER = 300
"""Seconds after which PostgreSQL frees the lock of a machine that is gone without a word."""


class RowLocks:
    """Locked rows, each in an open transaction: the server frees them when a connection ends."""

    def __init__(self, engine: AsyncEngine, table: Table) -> None:
        self._engine = engine
        self._table = table
        self._places = asyncio.Semaphore(LOCK_CONNECTIONS)

    @asynccontextmanager
    async def locked(self, key: str) -> AsyncIterator[None]:
        """Hold the lock of ``key``."""
        async with self._places:
            connection, row = self._engine.connect(), row_id(key)
            try:
                await finish_shielded(self._prepare(connection, row))
                await poll_until(lambda: finish_shielded(self._lock(connection, row)))
                yield
            finally:
                if connection.sync_connection is not None:
                    # With the connection the lock is gone, and versions guard what is stored.
                    with suppress(SQLAlchemyError, OSError):
                        async with asyncio.timeout(GRACE):
                            await finish_shielded(connection.close())

    async def _prepare(self, connection: AsyncConnection, row: str) -> None:
        """Connect, and see to it that there is a row to lock."""
        await connection.start()
        # A connection of its own: a lock must not take one from those that get and put wait for.
        await connection.run_sync(Connection.detach)
        there = select(self._table.c.id).where(self._table.c.id == row)
        if await connection.scalar(there) is None:
            with suppress(IntegrityError):  # somebody else was faster
                await connection.execute(insert(self._table).values(id=row))
        await connection.commit()

    async def _lock(self, connection: AsyncConnection, row: str) -> bool:
        """Try to lock the row, in a transaction that stays open if that succeeds."""
        if self._engine.dialect.name == "postgresql":
            name, value = "idle_in_transaction_session_timeout", f"{ABANDONED_AFTER}s"
            await connection.execute(select(func.set_config(name, value, true())))
        this = select(self._table.c.id).where(self._table.c.id == row)
        if await connection.scalar(this.with_for_update(skip_locked=True)) is not None:
            return True
        await connection.rollback()
        return False
