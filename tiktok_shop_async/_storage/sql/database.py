"""A database with versioned tables: checked once, created or migrated."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from os import PathLike

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from ..._internal.closing import drop_connections
from ..._internal.waiting import finish_shielded
from ...errors import InvalidArgumentError
from ..error_wrapping import wrap_errors
from .engine import display_url, dispose, is_in_memory, new_engine
from .file_lock import locked_file
from .group_commit import RESPONSE_TIMEOUT
from .migration import check_server, migrate_file, migrate_server, open_file
from .schema import AnySchema

DIALECTS = {"sqlite", "postgresql"}


class Database:
    """A SQLite file or a PostgreSQL database, from a URL or a borrowed engine."""

    def __init__(
        self,
        database: str | PathLike[str] | URL | AsyncEngine,
        schema: AnySchema,
        *,
        lock: int,
        hint: str,
    ) -> None:
        """Create the engine; nothing is connected.

        Args:
            lock: The PostgreSQL advisory lock to hold while the tables are created.
            hint: The hint of errors about a database that is not supported.
        """
        self._owns_engine = not isinstance(database, AsyncEngine)
        self._engine = database if isinstance(database, AsyncEngine) else new_engine(database)
        self.dialect = self._engine.dialect.name
        if self.dialect not in DIALECTS:
            raise InvalidArgumentError(
                f"database must be SQLite or PostgreSQL, not {self.dialect}.",
                argument="database",
                hint=hint,
            )
        self.is_sqlite = self.dialect == "sqlite"
        if self.is_sqlite and is_in_memory(self._engine.url):
            raise InvalidArgumentError(
                "database must not be in memory: it would be lost when the process ends.",
                argument="database",
                hint=hint,
            )
        # In SQLite transactions begin and end by explicit statements; the driver would guess them.
        level = "AUTOCOMMIT" if self.is_sqlite else "READ COMMITTED"
        self.connections = self._engine.execution_options(isolation_level=level)
        self._schema = schema
        self._lock = lock
        self._checking = asyncio.Lock()
        self._is_checked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        """The event loop of the last use."""

    def __str__(self) -> str:
        return display_url(self._engine.url)

    async def create_schema(self, store: object) -> None:
        """Create the tables or migrate them; several processes may do so at once."""
        self._loop = asyncio.get_running_loop()
        with wrap_errors(self._schema.error, store, "creating the tables"):
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                await finish_shielded(self._create_schema())
        self._is_checked = True

    async def check_schema(self, store: object) -> None:
        """Check once that the tables have the version of this release; create those of a file."""
        self._loop = asyncio.get_running_loop()
        if self._is_checked:
            return
        async with self._checking:
            if self._is_checked:
                pass  # another task has done it
            elif self.is_sqlite:
                await self.create_schema(store)
            else:
                with wrap_errors(self._schema.error, store, "looking for the tables"):
                    async with asyncio.timeout(RESPONSE_TIMEOUT):
                        await finish_shielded(check_server(self.connections, self._schema))
                self._is_checked = True

    async def aclose(self) -> None:
        """Close the connections, unless the engine is borrowed."""
        if self._owns_engine:
            await dispose(self._engine, self._loop)

    async def drop_connections(self) -> None:
        """Drop the connections of an event loop that has ended."""
        if self._owns_engine:
            drop_connections(partial(self._engine.sync_engine.dispose, close=False))

    async def _create_schema(self) -> None:
        if not self.is_sqlite:
            await migrate_server(self.connections, self._schema, lock=self._lock)
            return
        file = await open_file(self.connections, owns_engine=self._owns_engine)
        async with AsyncExitStack() as locks:
            if file is not None:
                await locks.enter_async_context(locked_file(file, self._schema.tables.main.name))
            await migrate_file(self.connections, self._schema, owns_engine=self._owns_engine)
