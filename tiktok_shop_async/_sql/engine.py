"""From a database's URL to an engine, and to a name that can be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, NullPool, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ..errors import InvalidArgumentError

ASYNC_DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}
"""For a URL that names no driver, as most settings have it."""
EXTRA_OF = {"aiosqlite": "sql", "asyncpg": "postgresql"}
BUSY_TIMEOUT = 20
"""Seconds that SQLite waits for another process to finish writing."""


def new_engine(database: str | URL) -> AsyncEngine:
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


def is_in_memory(url: URL) -> bool:
    """Tell whether a SQLite database is no file."""
    return url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory"


def make_private(url: URL) -> None:
    """Create a SQLite file that only its owner may read, if there is none yet."""
    assert url.database is not None, "it is a file"
    path = Path(url.database)
    if not url.database.startswith("file:") and not path.exists():
        path.touch(mode=0o600)


def shown(url: URL) -> str:
    """Return where a database is, without user and password, and without its options."""
    port = f":{url.port}" if url.port else ""
    return f"{url.drivername}://{url.host or ''}{port}/{url.database or ''}"


def _async_url(database: str | URL) -> URL:
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        url = None
    if url is None:  # outside of the block: the exception there may quote the password
        raise InvalidArgumentError(
            "the database is given by no URL that SQLAlchemy can read.",
            argument="database",
            hint="Write it as sqlite:///file.db or postgresql://user:password@host/database.",
        )
    return url.set(drivername=ASYNC_DRIVERS.get(url.drivername, url.drivername))
