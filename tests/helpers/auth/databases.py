"""Redis and PostgreSQL of the machine, a scratch database for each test, and processes to kill."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import make_url

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
POSTGRESQL_URL = os.environ.get(
    "TEST_POSTGRESQL_URL", "postgresql+asyncpg://postgres@127.0.0.1:5432/test"
)
PROCESS = Path(__file__).with_name("process.py")


@asynccontextmanager
async def postgresql_database() -> AsyncIterator[str]:
    """Give the URL of an empty database, which is dropped in the end."""
    url = make_url(POSTGRESQL_URL)
    name = f"tiktok_shop_{uuid.uuid4().hex}"
    try:
        server = await asyncpg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False)
        )
    except (OSError, asyncpg.PostgresError) as error:
        missing("PostgreSQL", "TEST_POSTGRESQL_URL", error)
    try:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await server.close()


@asynccontextmanager
async def redis_prefix() -> AsyncIterator[str]:
    """Give a prefix for keys that nobody else has, and delete them in the end."""
    prefix = f"test-{uuid.uuid4().hex}:"
    async with Redis.from_url(REDIS_URL) as client:
        try:
            await client.ping()
        except (OSError, RedisError) as error:
            missing("Redis", "TEST_REDIS_URL", error)
        yield prefix
        async for name in client.scan_iter(match=f"{prefix}*", count=10_000):
            await client.delete(name)


def missing(what: str, variable: str, error: Exception) -> None:
    reason = f"no {what}, set {variable} to where one is ({error})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def process(kind: str, place: str, task: str, **options: Any) -> AsyncIterator[Process]:
    """Run ``process.py`` with a store of its own; it is killed in the end."""
    arguments = (kind, place, task, json.dumps(options))
    running = await asyncio.create_subprocess_exec(sys.executable, PROCESS, *arguments, stdout=PIPE)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def said(running: Process) -> str:
    assert running.stdout is not None
    return (await running.stdout.readline()).decode().strip()
