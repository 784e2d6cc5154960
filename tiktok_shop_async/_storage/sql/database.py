"""A database with tables of ours: opened, checked once, and brought to the newest version."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from os import PathLike
from typing import Any

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from ..._internal.closing import drop_connections
from ..._internal.error_causes import raise_as
from ..._internal.waiting import finish_shielded
from ...errors import InvalidArgumentError, TikTokShopError
from .engine import dispose, is_in_memory, new_engine, shown
from .file_lock import locked_file
from .group_commit import ANSWER_TIMEOUT
from .migration import check_server, migrate_file, migrate_server, open_file
from .schema import Schema, Step, VersionedTables

DIALECTS = {"sqlite", "postgresql"}


class Database:
    """A SQLite file or a PostgreSQL server, by its URL or as an engine that is borrowed."""

    def __init__(
        self,
        database: str | PathLike[str] | URL | AsyncEngine,
        tables: VersionedTables,
        steps: Sequence[Step[Any]],
        *,
        error: type[TikTokShopError],
        lock: int,
        hint: str,
    ) -> None:
        """Make it; nothing is connected.

        Args:
            error: What any failure is raised as.
            lock: Of PostgreSQL's advisory locks: held while the tables are made.
            hint: What to do instead of keeping it in memory, or elsewhere.
        """
        self._owns_engine = not isinstance(database, AsyncEngine)
        self._engine = database if isinstance(database, AsyncEngine) else new_engine(database)
        self.dialect = self._engine.dialect.name
        if self.dialect not in DIALECTS:
            raise InvalidArgumentError(
                f"{self.dialect} is no database that is known here.", argument="database", hint=hint
            )
        self.is_sqlite = self.dialect == "sqlite"
        if self.is_sqlite and is_in_memory(self._engine.url):
            raise InvalidArgumentError(
                "what is in memory is gone when it is needed.", argument="database", hint=hint
            )
        # What is begun and ended in SQLite is said in so many words: drivers guess it otherwise.
        level = "AUTOCOMMIT" if self.is_sqlite else "READ COMMITTED"
        self.connections = self._engine.execution_options(isolation_level=level)
        self._schema = Schema(tables, steps, error)
        self._error = error
        self._lock = lock
        self._checking = asyncio.Lock()
        self._is_checked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        """The event loop of its last use."""

    def __str__(self) -> str:
        return shown(self._engine.url)

    async def create_schema(self, who: object) -> None:
        """Create the tables, or bring them to the newest version; many may do so at once."""
        self._loop = asyncio.get_running_loop()
        with raise_as(self._error, who, "creating the tables"):
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await finish_shielded(self._create_schema())
        self._is_checked = True

    async def check_schema(self, who: object) -> None:
        """See to it, once, that the tables are those of this release."""
        self._loop = asyncio.get_running_loop()
        if self._is_checked:
            return
        async with self._checking:
            if self._is_checked:
                pass  # by who was here before
            elif self.is_sqlite:
                await self.create_schema(who)
            else:
                with raise_as(self._error, who, "looking for the tables"):
                    async with asyncio.timeout(ANSWER_TIMEOUT):
                        await finish_shielded(check_server(self.connections, self._schema))
                self._is_checked = True

    async def aclose(self) -> None:
        """Close the connections, unless the engine is borrowed."""
        if self._owns_engine:
            await dispose(self._engine, self._loop)

    async def forsake(self) -> None:
        """Leave the connections of another event loop, which has ended, to themselves."""
        if self._owns_engine:
            drop_connections(partial(self._engine.sync_engine.dispose, close=False))

    async def _create_schema(self) -> None:
        if not self.is_sqlite:
            await migrate_server(self.connections, self._schema, lock=self._lock)
            return
        file = await open_file(self.connections, is_ours=self._owns_engine)
        async with AsyncExitStack() as locks:
            if file is not None:
                await locks.enter_async_context(locked_file(file, self._schema.tables.main.name))
            await migrate_file(self.connections, self._schema, is_ours=self._owns_engine)
