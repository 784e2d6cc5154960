"""A token store in a SQL database: a SQLite file, or a server for several machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

try:
    from sqlalchemy import (
        URL,
        Engine,
        Executable,
        MetaData,
        insert,
        select,
        update,
    )
    from sqlalchemy.exc import IntegrityError
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ..._storage.sql.engine import BUSY_TIMEOUT, display_url, dispose, new_engine
    from ..._storage.sql.file_lock import locked_file
    from ..._storage.sql.migration import check_server, migrate_file, migrate_server, open_file
    from ..._storage.sql.schema import Schema
    from .sql_locks import RowLocks
    from .sql_schema import STEPS, Tables, row_id
except ImportError as error:
    raise ImportError(
        "SQLTokenStore needs further packages: pip install 'tiktok-shop-async[sql]'",
        name=error.name,
    ) from error

from ..._internal.closing import ClosedOnExit
from ..._internal.waiting import finish_shielded
from ...errors import InvalidArgumentError, StaleVersionError, TokenStoreError
from .base import NEVER_WRITTEN, StoredValue
from .errors import wrap_store_errors
from .locking import KeyedLocks, hold

T = TypeVar("T")

LOCKING_SERVERS = {"postgresql", "mysql", "mariadb"}
SCHEMA_LOCK = 0x746F6B656E73
"""The PostgreSQL advisory lock that is held while the tables are created."""
MAX_CONCURRENT = 10
"""Concurrent reads and writes: each opens a SQLite file in its own thread."""
RESPONSE_TIMEOUT = 30
"""Seconds that a database has to respond."""

_locks_of: WeakKeyDictionary[Engine, KeyedLocks] = WeakKeyDictionary()
"""Shared by all stores on one engine: a database in memory has no other locks."""


class SQLTokenStore(ClosedOnExit):
    """A token store in a SQL database, through SQLAlchemy.

    In SQLite the tables are created automatically; on a server call `create_schema` at deployment.
    Use it as an async context manager, or call `aclose` when done.
    """

    def __init__(
        self,
        database: str | PathLike[str] | URL | AsyncEngine,
        *,
        table_prefix: str = "tiktok_shop_",
        lock_timeout: float = 30.0,
    ) -> None:
        """Create the store; it connects when it is first used.

        Args:
            database: A URL such as ``sqlite:///tokens.db``, the `pathlib.Path` of a SQLite file,
                or an engine, which is borrowed and never closed.
            table_prefix: The prefix of its three tables.
            lock_timeout: Seconds to wait for a lock that another task or process holds.
        """
        self._owns_engine = not isinstance(database, AsyncEngine)
        self._engine = database if isinstance(database, AsyncEngine) else new_engine(database)
        self._dialect = self._engine.dialect.name
        if self._dialect not in {"sqlite", *LOCKING_SERVERS}:
            raise InvalidArgumentError(
                f"database must be SQLite, PostgreSQL, MySQL or MariaDB, not {self._dialect}.",
                argument="database",
                hint="Use one of these, or write your own token store.",
            )
        # Each read or write is one statement, and must see the writes of others.
        level = "AUTOCOMMIT" if self._dialect == "sqlite" else "READ COMMITTED"
        self._connections = self._engine.execution_options(isolation_level=level)
        self._tables = Tables(table_prefix)
        self._schema = Schema(self._tables, STEPS, TokenStoreError)
        self._lock_timeout = lock_timeout
        self._local_locks = _locks_of.setdefault(self._engine.sync_engine, KeyedLocks())
        self._row_locks = RowLocks(self._connections, self._tables.locks)
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
        self._slots = WeakKeyDictionary()
        self._file: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """The event loop of the last use."""
        self._checking = asyncio.Lock()
        self._is_checked = False

    def __repr__(self) -> str:
        return f"<SQLTokenStore {display_url(self._engine.url)}>"

    @property
    def metadata(self) -> MetaData:
        """The tables, for tools such as Alembic."""
        return self._tables.metadata

    async def create_schema(self) -> None:
        """Create the tables or migrate them; several processes may do so at once."""
        with wrap_store_errors(self, "creating the tables"):
            if self._dialect == "sqlite":
                create = partial(open_file, self._connections, owns_engine=self._owns_engine)
                self._file = await self._run(create)
                locks = self._locks("the tables")
                async with hold(self, "the tables", *locks, max_wait=BUSY_TIMEOUT):
                    owns_file = self._owns_engine and self._file is not None
                    await self._run(
                        lambda: migrate_file(self._connections, self._schema, owns_engine=owns_file)
                    )
            else:
                await self._run(
                    lambda: migrate_server(self._connections, self._schema, lock=SCHEMA_LOCK)
                )
        self._is_checked = True

    async def keys(self) -> list[str]:
        """Return all keys that have a value."""
        query = select(self._tables.tokens.c.name)
        return [row.name for row in await self._read(query, "reading the keys")]

    async def get(self, key: str) -> StoredValue | None:
        """Return the value of a key, or None."""
        tokens = self._tables.tokens
        query = select(tokens.c.value, tokens.c.version).where(tokens.c.id == row_id(key))
        rows = await self._read(query, f"reading {key}")
        return StoredValue(bytes(rows[0].value), rows[0].version) if rows else None

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Replace ``version`` of a value, and return the new version."""
        await self._check_schema()
        tokens = self._tables.tokens
        row: dict[str, Any] = {"value": value, "version": version + 1}
        statement: Executable
        if version == NEVER_WRITTEN:
            statement = insert(tokens).values(id=row_id(key), name=key, **row)
        else:
            this = (tokens.c.id == row_id(key)) & (tokens.c.version == version)
            statement = update(tokens).where(this).values(row)

        async def write() -> bool:
            async with self._connections.begin() as connection:
                return bool((await connection.execute(statement)).rowcount)

        with wrap_store_errors(self, f"writing {key}"):
            try:
                if await self._run(write):
                    return version + 1
            except IntegrityError:
                pass  # the key has a value already
        raise StaleVersionError(key)

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Hold a lock that excludes all other tasks and processes, on all machines."""
        await self._check_schema()
        async with hold(self, key, *self._locks(key), max_wait=self._lock_timeout):
            yield

    async def aclose(self) -> None:
        """Close the connections, unless the engine is borrowed."""
        if self._owns_engine:
            await dispose(self._engine, self._loop)

    def _locks(self, key: str) -> Iterator[AbstractAsyncContextManager[object]]:
        """Yield the lock within this process, then the one between processes."""
        name = f"{self._tables.tokens.name}/{key}"
        yield self._local_locks[name]
        if self._dialect != "sqlite":
            yield self._row_locks.locked(key)
        elif self._file is not None:
            yield locked_file(self._file, name)

    async def _read(self, query: Executable, action: str) -> list[Any]:
        await self._check_schema()

        async def read() -> list[Any]:
            async with self._connections.connect() as connection:
                return list(await connection.execute(query))

        with wrap_store_errors(self, action):
            return await self._run(read)

    async def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self._loop = loop = asyncio.get_running_loop()
        slots = self._slots.setdefault(loop, asyncio.Semaphore(MAX_CONCURRENT))
        async with slots, asyncio.timeout(RESPONSE_TIMEOUT):
            return await finish_shielded(work())

    async def _check_schema(self) -> None:
        """Check once that the tables have the version of this release; create those of a file."""
        if self._is_checked:
            return
        async with self._checking:
            if self._is_checked:
                pass  # another task has done it
            elif self._dialect == "sqlite":
                await self.create_schema()
            else:
                with wrap_store_errors(self, "looking for the tables"):
                    await self._run(lambda: check_server(self._connections, self._schema))
                self._is_checked = True
