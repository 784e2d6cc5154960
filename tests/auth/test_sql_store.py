"""What is SQL's own: tables, connections, files."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import sys
import threading
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from helpers.auth.databases import postgresql_database, process, said
from sqlalchemy import Connection, NullPool, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tiktok_shop_async import InvalidArgumentError, StaleVersionError, TokenStoreError
from tiktok_shop_async._internal import waiting as _waiting
from tiktok_shop_async._storage.sql.schema import Schema
from tiktok_shop_async.auth import SQLTokenStore
from tiktok_shop_async.auth.stores import sql, sql_locks
from tiktok_shop_async.auth.stores.sql_schema import STEPS, Tables

SECRET = b"TTP_SECRET"
END_TRANSACTIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE state = 'idle in transaction' AND datname = current_database()
"""


@pytest.fixture
async def postgresql() -> AsyncIterator[str]:
    async with postgresql_database() as url:
        yield url


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'tokens.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, sqlite: str) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield sqlite
    else:
        async with postgresql_database() as url:
            yield url


@pytest.fixture
async def engine(postgresql: str) -> AsyncIterator[AsyncEngine]:
    """The engine of an application, with a pool of one connection."""
    engine = create_async_engine(postgresql, pool_size=1, max_overflow=0, pool_timeout=5)
    async with SQLTokenStore(engine) as store:
        await store.create_schema()
    yield engine
    await engine.dispose()


async def test_processes_create_the_tables_at_once(url: str) -> None:
    async with AsyncExitStack() as opened:
        running = [
            await opened.enter_async_context(process("sql", url, "create")) for _ in range(4)
        ]
        assert await asyncio.gather(*map(said, running)) == ["1"] * 4
    async with SQLTokenStore(url) as store:
        assert len(await store.keys()) == 4


async def test_a_database_of_an_earlier_release_is_migrated_once(url: str) -> None:
    """Only the steps that are missing are taken, also when several try; what is stored stays."""
    taken: list[str] = []

    def add_a_column(connection: Connection, tables: Tables) -> None:
        taken.append("add a column")
        connection.execute(text(f"ALTER TABLE {tables.tokens.name} ADD COLUMN note TEXT"))

    async with SQLTokenStore(url) as store:
        await store.create_schema()
        await store.put("shop", b"token", version=0)
    later = [SQLTokenStore(url) for _ in range(3)]
    for store in later:
        store._schema = Schema(store._tables, [*STEPS, add_a_column], TokenStoreError)
    if url.startswith("postgresql"):
        with pytest.raises(TokenStoreError, match=r"an earlier release.*create_schema"):
            await later[0].get("shop")
    await asyncio.gather(*(store.create_schema() for store in later))
    assert taken == ["add a column"]
    assert [(await store.get("shop")).value for store in later] == [b"token"] * 3  # type: ignore[union-attr]

    async with SQLTokenStore(url) as store:
        for work in (store.get("shop"), store.put("shop", b"", version=1), store.create_schema()):
            with pytest.raises(TokenStoreError, match=r"version 2.*reads version 1.*newer release"):
                await work
    for store in later:
        await store.aclose()


async def test_a_server_without_tables_says_what_to_do(postgresql: str) -> None:
    async with SQLTokenStore(postgresql) as store:
        with pytest.raises(TokenStoreError, match=r"no table tiktok_shop_tokens.*create_schema"):
            await store.get("shop")
        await store.create_schema()
        assert await store.get("shop") is None


async def test_tables_that_another_tool_made_are_taken(engine: AsyncEngine) -> None:
    """By Alembic, say, from `metadata`; it knows their version by itself."""
    store = SQLTokenStore(engine, table_prefix="app_")
    assert sorted(store.metadata.tables) == ["app_locks", "app_schema", "app_tokens"]
    async with engine.begin() as connection:
        await connection.run_sync(store.metadata.create_all)
    assert await store.put("shop", b"token", version=0) == 1
    async with store.lock("shop"):
        pass


async def test_stores_with_other_prefixes_share_nothing(engine: AsyncEngine) -> None:
    one, other = SQLTokenStore(engine), SQLTokenStore(engine, table_prefix="other_")
    await other.create_schema()
    await one.put("shop", b"token", version=0)
    assert await other.get("shop") is None
    async with asyncio.timeout(5), one.lock("shop"), other.lock("shop"):
        pass


async def test_locks_take_no_connection_of_the_pool(engine: AsyncEngine) -> None:
    """So that those who hold one, or wait for one, keep nobody from reading and writing."""
    store = SQLTokenStore(engine)

    async def refresh(key: str) -> None:
        async with store.lock(key):
            await store.put(key, b"token", version=0)

    async with asyncio.timeout(20):
        await asyncio.gather(*(refresh(str(number)) for number in range(12)))
    assert len(await store.keys()) == 12


async def test_an_engine_is_borrowed(engine: AsyncEngine) -> None:
    async with SQLTokenStore(engine) as store:
        await store.put("shop", b"token", version=0)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM tiktok_shop_tokens")) == 1


async def test_cancelled_calls_leave_no_connection_behind(engine: AsyncEngine) -> None:
    store = SQLTokenStore(engine)
    for step in range(40):
        reading = asyncio.create_task(store.get("shop"))
        locking = asyncio.create_task(stay(store, "shop"))
        await asyncio.sleep(step / 2000)
        for task in (reading, locking):
            task.cancel()
        await asyncio.wait([reading, locking])
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    async with asyncio.timeout(5), engine.connect() as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        while await connection.scalar(text(others)) != 1:
            await connection.rollback()  # the server notices that a connection ended


async def stay(store: SQLTokenStore, key: str) -> None:
    async with store.lock(key):
        await asyncio.Event().wait()


async def test_a_lock_is_lost_with_its_connection(engine: AsyncEngine, postgresql: str) -> None:
    """The holder is not troubled, and cannot overwrite what the next one wrote."""
    slow, quick = SQLTokenStore(engine), SQLTokenStore(postgresql)
    async with slow.lock("shop"):
        async with engine.begin() as connection:
            await connection.execute(text(END_TRANSACTIONS))
        async with asyncio.timeout(5), quick.lock("shop"):
            await quick.put("shop", b"newer", version=0)
        with pytest.raises(StaleVersionError):
            await slow.put("shop", b"older", version=0)
    assert (await quick.get("shop")).value == b"newer"  # type: ignore[union-attr]
    await quick.aclose()


async def test_a_machine_that_is_gone_loses_its_lock(
    engine: AsyncEngine, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says no word any more, not even that its connection ended."""
    monkeypatch.setattr(sql_locks, "MAX_IDLE", 1)
    async with (
        SQLTokenStore(postgresql) as another,
        SQLTokenStore(engine).lock("shop"),
        asyncio.timeout(5),
        another.lock("shop"),
    ):
        pass


async def test_what_is_written_is_never_told(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Though an application may have its engine log parameters and rows, and quote them."""
    driver = "sqlite+aiosqlite" if url.startswith("sqlite") else "postgresql+asyncpg"
    caplog.set_level("DEBUG")
    place = f"{driver}:{url.partition(':')[2]}"
    engine = create_async_engine(place, poolclass=NullPool, echo="debug")
    async with SQLTokenStore(engine) as store:
        await store.create_schema()
        async with store.lock("shop"):
            await store.put("shop", SECRET, version=0)
            await store.put("shop", SECRET, version=1)
            stored = await store.get("shop")
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE tiktok_shop_tokens"))
        with pytest.raises(TokenStoreError, match="writing shop failed") as caught:
            await store.put("shop", SECRET, version=2)
    assert stored is not None
    assert stored.value == SECRET
    assert type(stored.value) is bytes
    told = caplog.text + "".join(traceback.format_exception(caught.value))
    assert "INSERT INTO tiktok_shop_tokens" in told
    assert SECRET.decode() not in told


async def test_a_file_is_its_owner_s_alone(sqlite: str, tmp_path: Path) -> None:
    async with SQLTokenStore(sqlite) as store:
        await store.put("shop", b"token", version=0)
        async with store.lock("shop"):
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes["tokens.db"] == 0o600
    with closing(sqlite3.connect(tmp_path / "tokens.db")) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_no_lock_file_is_left(sqlite: str, tmp_path: Path) -> None:
    """Also where a lock was waited for, and where its holder failed."""
    folder = tmp_path / "tokens.db.locks"

    async def use(store: SQLTokenStore, key: str) -> None:
        with suppress(ZeroDivisionError):
            async with store.lock(key):
                assert len(list(folder.iterdir())) >= 1
                await asyncio.sleep(0)
                raise ZeroDivisionError

    async with SQLTokenStore(sqlite) as one, SQLTokenStore(sqlite) as other:
        await asyncio.gather(*(use(store, f"key {n}") for n in range(20) for store in (one, other)))
    assert list(folder.iterdir()) == []


COUNTS = """
import asyncio, sys
from pathlib import Path
from tiktok_shop_async._storage.sql.file_lock import locked_file

async def main(database, counter, times):
    for _ in range(times):
        async with locked_file(database, "counter"):
            before = int(counter.read_text())
            await asyncio.sleep(0)
            counter.write_text(str(before + 1))

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
"""


async def test_a_lock_file_that_is_removed_still_keeps_processes_apart(tmp_path: Path) -> None:
    counter, processes, times = tmp_path / "counter", 4, 150
    counter.write_text("0")
    command = [sys.executable, "-c", COUNTS, tmp_path / "a.db", counter, str(times)]
    running = [await asyncio.create_subprocess_exec(*command) for _ in range(processes)]
    assert [await each.wait() for each in running] == [0] * processes
    assert int(counter.read_text()) == processes * times
    assert list((tmp_path / "a.db.locks").iterdir()) == []


def test_a_file_serves_one_event_loop_after_another(sqlite: str) -> None:
    store = SQLTokenStore(sqlite)

    async def write(version: int) -> Any:
        async with store.lock("shop"):
            return await store.put("shop", b"token", version=version)

    assert [asyncio.run(write(version)) for version in range(3)] == [1, 2, 3]


async def test_a_database_in_memory_serves_the_stores_on_its_engine() -> None:
    engine = create_async_engine("sqlite+aiosqlite:///:memory:")
    one, other = SQLTokenStore(engine), SQLTokenStore(engine, lock_timeout=0.1)
    assert await one.put("shop", b"token", version=0) == 1
    assert await other.put("shop", b"token", version=1) == 2
    async with one.lock("shop"):
        with pytest.raises(TokenStoreError, match="not free"):
            async with other.lock("shop"):
                pass
    await engine.dispose()


@pytest.mark.parametrize("database", ["no url", "mssql+aioodbc://me:PASSWORD@host/db"])
def test_a_database_that_cannot_be_used_is_refused(database: str) -> None:
    with pytest.raises((InvalidArgumentError, ModuleNotFoundError)) as caught:
        SQLTokenStore(database)
    assert "PASSWORD" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("database", "driver", "extra"),
    [("sqlite:///x.db", "aiosqlite", "sql"), ("postgres://host/db", "asyncpg", "postgresql")],
)
def test_a_missing_driver_is_named_with_its_extra(
    database: str, driver: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ImportError, match=rf"pip install 'tiktok-shop-async\[{extra}\]'"):
        SQLTokenStore(database)


async def test_the_schema_table_has_one_row(engine: AsyncEngine) -> None:
    await SQLTokenStore(engine).create_schema()
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT version FROM tiktok_shop_schema"))).all()
        names = await connection.run_sync(lambda connection: inspect(connection).get_table_names())
    assert rows == [(len(STEPS),)]
    assert sorted(names) == ["tiktok_shop_locks", "tiktok_shop_schema", "tiktok_shop_tokens"]


async def test_a_file_is_not_opened_too_often_at_once(sqlite: str) -> None:
    async with SQLTokenStore(sqlite) as store:
        await store.put("shop", b"token", version=0)
        most = 0

        async def read() -> None:
            nonlocal most
            await store.get("shop")
            most = max(most, threading.active_count())

        before = threading.active_count()
        await asyncio.gather(*(read() for _ in range(100)))
    assert most - before <= 20


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "RESPONSE_TIMEOUT", 0.2)
    monkeypatch.setattr(_waiting, "GRACE", 0.1)

    given_up = asyncio.Semaphore(0)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        given_up.release()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with SQLTokenStore(f"postgresql://me@127.0.0.1:{port}/db") as store:
            async with asyncio.timeout(5):
                with pytest.raises(TokenStoreError, match=r"looking for the tables failed \(Time"):
                    await store.get("shop")
            # The tables are known, and the server falls silent later.
            store._is_checked, store._lock_timeout = True, 0.2
            async with asyncio.timeout(5):
                with pytest.raises(TokenStoreError, match=r"the lock of shop was not free"):
                    async with store.lock("shop"):
                        pass
        async with asyncio.timeout(5):
            for _ in range(2):
                await given_up.acquire()
