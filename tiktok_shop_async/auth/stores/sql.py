"""A token store in a SQL database: a SQLite file, or PostgreSQL for many machines."""

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

    from ..._storage.sql.engine import BUSY_TIMEOUT, dispose, new_engine, shown
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
from .failures import reported
from .locking import KeyedLocks, hold

T = TypeVar("T")

LOCKING_SERVERS = {"postgresql", "mysql", "mariadb"}
SCHEMA_LOCK = 0x746F6B656E73
"""Of PostgreSQL's advisory locks: held while the tables are made."""
MOST_AT_ONCE = 10
"""Reads and writes: each opens a SQLite file, in a thread of its own."""
ANSWER_TIMEOUT = 30
"""Seconds after which a database that does not answer is given up."""

_locks_of: WeakKeyDictionary[Engine, KeyedLocks] = WeakKeyDictionary()
"""Of all stores on one engine: a database in memory has no others."""


class SQLTokenStore(ClosedOnExit):
    """Keeps tokens in a SQL database, through SQLAlchemy.

    A SQLite database gets its tables by itself; on a server call `create_schema` at deployment.
    Use it as an async context manager, or call `aclose` when done.
    """

    def __init__(
        self,
        database: str | PathLike[str] | URL | AsyncEngine,
        *,
        table_prefix: str = "tiktok_shop_",
        lock_timeout: float = 30.0,
    ) -> None:
        """Make the store; nothing is connected before it is used.

        Args:
            database: A URL such as ``sqlite:///tokens.db``, the `pathlib.Path` of a SQLite file,
                or an engine, which is borrowed and never closed.
            table_prefix: Begins the names of its three tables.
            lock_timeout: Seconds to wait for a lock that somebody else has.
        """
        self._owns_engine = not isinstance(database, AsyncEngine)
        self._engine = database if isinstance(database, AsyncEngine) else new_engine(database)
        self._dialect = self._engine.dialect.name
        if self._dialect not in {"sqlite", *LOCKING_SERVERS}:
            raise InvalidArgumentError(
                f"{self._dialect} is no database whose locks this store knows.",
                argument="database",
                hint="Use SQLite, PostgreSQL, MySQL or MariaDB, or write a store of your own.",
            )
        # A read or a write is one statement, and has to see what others have written.
        level = "AUTOCOMMIT" if self._dialect == "sqlite" else "READ COMMITTED"
        self._connections = self._engine.execution_options(isolation_level=level)
        self._tables = Tables(table_prefix)
        self._schema = Schema(self._tables, STEPS, TokenStoreError)
        self._lock_timeout = lock_timeout
        self._local_locks = _locks_of.setdefault(self._engine.sync_engine, KeyedLocks())
        self._row_locks = RowLocks(self._connections, self._tables.locks)
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
        self._places = WeakKeyDictionary()
        self._file: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """The event loop of its last use."""
        self._checking = asyncio.Lock()
        self._is_checked = False

    def __repr__(self) -> str:
        return f"<SQLTokenStore {shown(self._engine.url)}>"

    @property
    def metadata(self) -> MetaData:
        """The tables, for tools such as Alembic."""
        return self._tables.metadata

    async def create_schema(self) -> None:
        """Create the tables, or bring them to the newest version; many may do so at once."""
        with reported(self, "creating the tables"):
            if self._dialect == "sqlite":
                open_ours = partial(open_file, self._connections, is_ours=self._owns_engine)
                self._file = await self._run(open_ours)
                locks = self._locks("the tables")
                async with hold(self, "the tables", *locks, patience=BUSY_TIMEOUT):
                    is_ours = self._owns_engine and self._file is not None
                    await self._run(
                        lambda: migrate_file(self._connections, self._schema, is_ours=is_ours)
                    )
            else:
                await self._run(
                    lambda: migrate_server(self._connections, self._schema, lock=SCHEMA_LOCK)
                )
        self._is_checked = True

    async def keys(self) -> list[str]:
        """Return all keys that something was written to."""
        query = select(self._tables.tokens.c.name)
        return [row.name for row in await self._read(query, "reading the keys")]

    async def get(self, key: str) -> StoredValue | None:
        """Return what was written last, or None."""
        tokens = self._tables.tokens
        query = select(tokens.c.value, tokens.c.version).where(tokens.c.id == row_id(key))
        rows = await self._read(query, f"reading {key}")
        return StoredValue(bytes(rows[0].value), rows[0].version) if rows else None

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Write in place of ``version``, and return the new one."""
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

        with reported(self, f"writing {key}"):
            try:
                if await self._run(write):
                    return version + 1
            except IntegrityError:
                pass  # the key is there already
        raise StaleVersionError(key)

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Keep all others out, on all machines; a process that dies has it no longer."""
        await self._check_schema()
        async with hold(self, key, *self._locks(key), patience=self._lock_timeout):
            yield

    async def aclose(self) -> None:
        """Close the connections, unless the engine is borrowed."""
        if self._owns_engine:
            await dispose(self._engine, self._loop)

    def _locks(self, key: str) -> Iterator[AbstractAsyncContextManager[object]]:
        """Yield the lock of this process, where only one waits for the other, and that of all."""
        name = f"{self._tables.tokens.name}/{key}"
        yield self._local_locks[name]
        if self._dialect != "sqlite":
            yield self._row_locks.locked(key)
        elif self._file is not None:
            yield locked_file(self._file, name)

    async def _read(self, query: Executable, what: str) -> list[Any]:
        await self._check_schema()

        async def read() -> list[Any]:
            async with self._connections.connect() as connection:
                return list(await connection.execute(query))

        with reported(self, what):
            return await self._run(read)

    async def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self._loop = loop = asyncio.get_running_loop()
        places = self._places.setdefault(loop, asyncio.Semaphore(MOST_AT_ONCE))
        async with places, asyncio.timeout(ANSWER_TIMEOUT):
            return await finish_shielded(work())

    async def _check_schema(self) -> None:
        """See to it, once, that the tables are those of this release."""
        if self._is_checked:
            return
        async with self._checking:
            if self._is_checked:
                pass  # by who was here before
            elif self._dialect == "sqlite":
                await self.create_schema()
            else:
                with reported(self, "looking for the tables"):
                    await self._run(lambda: check_server(self._connections, self._schema))
                self._is_checked = True
