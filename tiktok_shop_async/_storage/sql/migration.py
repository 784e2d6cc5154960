"""Creation and migration of the tables in a file or on a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from .engine import is_in_memory, make_private
from .schema import Schema


async def open_file(engine: AsyncEngine, *, owns_engine: bool) -> Path | None:
    """Create a SQLite file if needed and return its path; None for a database in memory."""
    if owns_engine and not is_in_memory(engine.url):
        make_private(engine.url)
    async with engine.connect() as connection:
        databases = await connection.execute(text("PRAGMA database_list"))
        file = next(row.file for row in databases if row.name == "main")
    return Path(file) if file else None


async def migrate_file(engine: AsyncEngine, schema: Schema[Any], *, owns_engine: bool) -> None:
    """Migrate a SQLite database, in autocommit; the caller holds the lock of the file."""
    async with engine.connect() as connection:
        if owns_engine:
            await connection.execute(text("PRAGMA journal_mode=WAL"))
        if await connection.run_sync(schema.is_current):
            return
        await connection.execute(text("BEGIN IMMEDIATE"))
        await connection.run_sync(schema.migrate)
        await connection.execute(text("COMMIT"))


async def migrate_server(engine: AsyncEngine, schema: Schema[Any], *, lock: int) -> None:
    """Migrate a database on a server; on PostgreSQL several processes may do so at once."""
    async with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(lock)))
        await connection.run_sync(schema.migrate)


async def check_server(engine: AsyncEngine, schema: Schema[Any]) -> None:
    """Raise an error unless the tables on a server have the version of this release."""
    async with engine.connect() as connection:
        await connection.run_sync(schema.check)
