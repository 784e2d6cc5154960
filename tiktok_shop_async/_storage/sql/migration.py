"""How a database comes to have the tables of a release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from .engine import is_in_memory, make_private
from .schema import Schema


async def open_file(engine: AsyncEngine, *, is_ours: bool) -> Path | None:
    """Return where a SQLite database is, which may be created; None if it is in memory."""
    if is_ours and not is_in_memory(engine.url):
        make_private(engine.url)
    async with engine.connect() as connection:
        databases = await connection.execute(text("PRAGMA database_list"))
        file = next(row.file for row in databases if row.name == "main")
    return Path(file) if file else None


async def migrate_file(engine: AsyncEngine, schema: Schema[Any], *, is_ours: bool) -> None:
    """Bring a SQLite database, in autocommit, to the newest version; nobody else may do so."""
    async with engine.connect() as connection:
        if is_ours:
            await connection.execute(text("PRAGMA journal_mode=WAL"))
        if await connection.run_sync(schema.is_current):
            return
        await connection.execute(text("BEGIN IMMEDIATE"))
        await connection.run_sync(schema.migrate)
        await connection.execute(text("COMMIT"))


async def migrate_server(engine: AsyncEngine, schema: Schema[Any], *, lock: int) -> None:
    """Bring a server's database to the newest version; on PostgreSQL many may do so at once."""
    async with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(lock)))
        await connection.run_sync(schema.migrate)


async def check_server(engine: AsyncEngine, schema: Schema[Any]) -> None:
    """Raise an error if a server's tables are not those of this release."""
    async with engine.connect() as connection:
        await connection.run_sync(schema.check)
