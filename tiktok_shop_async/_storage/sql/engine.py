"""From a database's URL to an engine, and to a name that can be shown."""

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

Place: TypeAlias = str | PathLike[str] | URL
"""Where a database is: a URL, or the path of a SQLite file."""

ASYNC_DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}
"""For a URL that names no driver, as most settings have it."""
EXTRA_OF = {"aiosqlite": "sql", "asyncpg": "postgresql"}
BUSY_TIMEOUT = 20
"""Seconds that SQLite waits for another process to finish writing."""

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
"""Options that the URL of a SQLite file may have; SQLAlchemy ignores others."""


def new_engine(database: Place) -> AsyncEngine:
    """Return an engine of our own."""
    url = _async_url(database)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.get_backend_name() == "sqlite" and not is_in_memory(url):
        # A file is opened in no time; what stays open would keep the process from ending.
        options = {"poolclass": NullPool, "connect_args": {"timeout": BUSY_TIMEOUT}}
    try:
        return create_async_engine(url, **options)
    except ModuleNotFoundError as error:
        extra = EXTRA_OF.get(error.name or "")
        if extra is None:
            raise
        raise ImportError(
            f"{url.drivername} needs further packages: pip install 'tiktok-shop-async[{extra}]'",
            name=error.name,
        ) from error


async def dispose(engine: AsyncEngine, loop: AbstractEventLoop | None) -> None:
    """Close an engine's connections, or drop them if the event loop that they are of has ended."""
    # Those of SQLite have threads in place of sockets, which can be closed from any loop.
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
    """Create a SQLite file that only its owner may read, if there is none yet."""
    assert url.database is not None, "it is a file"
    path = Path(url.database)
    if "uri" not in url.query and not path.exists():
        path.touch(mode=0o600)


def shown(url: URL) -> str:
    """Return where a database is, without user and password, and without its options."""
    port = f":{url.port}" if url.port else ""
    return f"{url.drivername}://{url.host or ''}{port}/{url.database or ''}"


def _async_url(database: Place) -> URL:
    if isinstance(database, PathLike):
        # Not pasted into text: in a URL a question mark would end the name.
        path = str(Path(os.fsdecode(database)).absolute())
        return URL.create(ASYNC_DRIVERS["sqlite"], database=path)
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        url = None
    if url is None:  # outside of the block: the exception there may quote the password
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
    """Reject options that would be ignored, such as a file name's part after a question mark."""
    unknown = set(names) - _FILE_OPTIONS
    if unknown:
        raise InvalidArgumentError(
            f"the URL of a SQLite file has no option {', '.join(sorted(unknown))}.",
            argument="database",
            hint="If the name of the file has a question mark, give it as a pathlib.Path.",
        )
