"""Engines for database URLs, and URLs without secrets for display."""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop
from collections.abc import Iterable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from sqlalchemy import URL, NullPool, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ..._internal.closing import drop_connections
from ...errors import InvalidArgumentError

Location: TypeAlias = str | PathLike[str] | URL
"""The URL of a database, or the path of a SQLite file."""

ASYNC_DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}
"""The drivers for URLs that name none."""
EXTRAS = {"aiosqlite": "sql", "asyncpg": "postgresql"}
BUSY_TIMEOUT = 20
"""Seconds that SQLite waits while another process writes."""

_FILE_OPTIONS = frozenset(
    {
        "uri",
        "timeout",
        "isolation_level",
        "detect_types",
        "check_same_thread",
        "cached_statements",
    }
)
"""Options that the URL of a SQLite file may have; SQLAlchemy ignores all others."""


def new_engine(database: Location) -> AsyncEngine:
    """Return a new engine for a database."""
    url = _async_url(database)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.get_backend_name() == "sqlite" and not is_in_memory(url):
        # Opening a file is fast, and an open connection would keep the process from ending.
        options = {"poolclass": NullPool, "connect_args": {"timeout": BUSY_TIMEOUT}}
    try:
        return create_async_engine(url, **options)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(error.name or "")
        if extra is None:
            raise
        raise ImportError(
            f"{url.drivername} needs further packages: pip install 'tiktok-shop-async[{extra}]'",
            name=error.name,
        ) from error


async def dispose(engine: AsyncEngine, loop: AbstractEventLoop | None) -> None:
    """Close an engine's connections, or drop them if their event loop has ended."""
    # Connections to SQLite use threads, not sockets, and can be closed from any loop.
    if loop is None or not loop.is_closed() or engine.dialect.name == "sqlite":
        await engine.dispose()
        return
    drop_connections(partial(engine.sync_engine.dispose, close=False))


def is_in_memory(url: URL) -> bool:
    """Return whether a SQLite database is in memory."""
    name = url.database or ":memory:"
    return name == ":memory:" or (
        "uri" in url.query
        and (name.startswith("file::memory:") or url.query.get("mode") == "memory")
    )


def make_private(url: URL) -> None:
    """Create a SQLite file that only its owner can read, unless it exists."""
    assert url.database is not None, "it is a file"
    path = Path(url.database)
    if "uri" not in url.query and not path.exists():
        path.touch(mode=0o600)


def display_url(url: URL) -> str:
    """Return the URL of a database without user, password and options."""
    port = f":{url.port}" if url.port else ""
    return f"{url.drivername}://{url.host or ''}{port}/{url.database or ''}"


def _async_url(database: Location) -> URL:
    if isinstance(database, PathLike):
        # Not formatted into text: in a URL a question mark would end the name.
        path = str(Path(os.fsdecode(database)).absolute())
        return URL.create(ASYNC_DRIVERS["sqlite"], database=path)
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        url = None
    if url is None:  # outside the block: the exception there may quote the password
        raise InvalidArgumentError(
            "database must be a URL that SQLAlchemy can read.",
            argument="database",
            hint="Write it as sqlite:///file.db or postgresql://user:password@host/database.",
        )
    if url.get_backend_name() == "sqlite" and "uri" not in url.query:
        _check_options(_options(database))
    return url.set(drivername=ASYNC_DRIVERS.get(url.drivername, url.drivername))


def _options(database: str | URL) -> Iterable[str]:
    if isinstance(database, URL):
        return database.query
    return [name for name, _ in parse_qsl(database.partition("?")[2], keep_blank_values=True)]


def _check_options(names: Iterable[str]) -> None:
    """Reject options that would be ignored, such as the part of a name after a question mark."""
    unknown = set(names) - _FILE_OPTIONS
    if unknown:
        raise InvalidArgumentError(
            f"the URL of a SQLite file has unknown options: {', '.join(sorted(unknown))}.",
            argument="database",
            hint="If the name of the file contains a question mark, pass it as a pathlib.Path.",
        )
