"""What all token stores have in common, on real databases."""

from __future__ import annotations

import asyncio
import importlib
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.fernet import Fernet
from helpers.auth.databases import REDIS_URL, postgresql_database, process, redis_prefix, said

import tiktok_shop_async.auth as package
from tiktok_shop_async import StaleVersionError, TokenStoreError
from tiktok_shop_async.auth import (
    EncryptedTokenStore,
    MemoryTokenStore,
    RedisTokenStore,
    SQLTokenStore,
    TokenStore,
)
from tiktok_shop_async.testing import check_token_store


@attrs.frozen
class Place:
    """Where stores of one kind keep what they share; each call makes another store."""

    new_store: Callable[..., Any]
    kind: str = ""
    url: str = ""
    options: dict[str, Any] = attrs.field(factory=dict)

    def __call__(self, **options: Any) -> Any:
        return self.new_store(self.url, **self.options | options)


@asynccontextmanager
async def place_of(kind: str, folder: Path) -> AsyncIterator[Place]:
    if kind == "memory":
        store = MemoryTokenStore()
        yield Place(lambda _: store)
    elif kind == "sqlite":
        yield Place(SQLTokenStore, "sql", f"sqlite:///{folder / 'tokens.db'}")
    elif kind == "postgresql":
        async with postgresql_database() as url:
            async with SQLTokenStore(url) as store:
                await store.create_schema()
            yield Place(SQLTokenStore, "sql", url)
    else:
        async with redis_prefix() as prefix:
            yield Place(RedisTokenStore, "redis", REDIS_URL, {"prefix": prefix})


@pytest.fixture
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with place_of(request.param, tmp_path) as place:
        yield place


every_kind = pytest.mark.parametrize(
    "place", ["memory", "sqlite", "postgresql", "redis"], indirect=True
)
every_shared_kind = pytest.mark.parametrize(
    "place", ["sqlite", "postgresql", "redis"], indirect=True
)


@every_kind
async def test_a_store_keeps_the_rules(place: Place) -> None:
    await check_token_store(place)


@every_kind
async def test_an_encrypted_store_keeps_the_rules(place: Place) -> None:
    keys = [Fernet.generate_key()]

    @asynccontextmanager
    async def encrypted() -> AsyncIterator[TokenStore]:
        store = place()
        yield EncryptedTokenStore(store, keys)
        if hasattr(store, "aclose"):
            await store.aclose()

    await check_token_store(encrypted)


@every_shared_kind
async def test_a_killed_holder_frees_its_lock(place: Place) -> None:
    """SQLite's and PostgreSQL's at once, Redis's when its time is up."""
    options = {"lock_ttl": 1.0} if place.kind == "redis" else {}
    async with (
        place(**options) as store,
        process(place.kind, place.url, "shop", **place.options | options) as holder,
    ):
        assert await said(holder) == "locked"
        waiting = asyncio.create_task(locked(store, "shop"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        holder.kill()
        await asyncio.wait_for(waiting, 5)


@every_shared_kind
async def test_a_wait_for_a_lock_ends(place: Place) -> None:
    """By an error that names store and key; the one who waited leaves nothing behind."""
    async with place() as holder, place(lock_timeout=0.2) as waiter:
        async with holder.lock("shop"):
            with pytest.raises(TokenStoreError, match=r"the lock of shop was not free within 0\.2"):
                await locked(waiter, "shop")
            await locked(waiter, "another shop")
        await locked(waiter, "shop")


@every_shared_kind
async def test_errors_of_a_block_are_not_renamed(place: Place) -> None:
    async with place() as store:
        with pytest.raises(OSError, match="of the application"):
            async with store.lock("shop"):
                raise OSError("of the application")


@every_kind
async def test_keys_are_listed(place: Place) -> None:
    store = place()
    for key in ("app/shop/1", "app/user/ü*"):
        await store.put(key, b"", version=0)
    async with store.lock("only locked"):
        assert sorted(await store.keys()) == ["app/shop/1", "app/user/ü*"]
    if hasattr(store, "aclose"):
        await store.aclose()


@pytest.mark.parametrize(
    ("store", "name"),
    [
        (
            lambda folder: SQLTokenStore("postgresql://me:PASSWORD@127.0.0.1:9/shop?password=PASS"),
            "postgresql+asyncpg://127.0.0.1:9/shop",
        ),
        (lambda folder: SQLTokenStore(f"sqlite:///{folder}/none/tokens.db"), "none/tokens.db"),
        (lambda folder: RedisTokenStore("redis://me:PASSWORD@127.0.0.1:9/0"), "127.0.0.1:9"),
    ],
    ids=["postgresql", "sqlite", "redis"],
)
async def test_a_store_that_is_away_is_named_without_secrets(
    store: Callable[[Path], Any], name: str, tmp_path: Path
) -> None:
    async with store(tmp_path) as away:
        for work in (away.get("k"), away.put("k", b"SECRET", version=0), locked(away, "k")):
            with pytest.raises(TokenStoreError) as caught:
                await work
            assert not isinstance(caught.value, StaleVersionError)
            assert name in str(caught.value)
            assert caught.value.__cause__ is not None
            told = "".join(traceback.format_exception(caught.value)) + repr(away)
            assert "SECRET" not in told.replace('b"SECRET"', "")  # the line of this test
            assert "PASS" not in told


@pytest.mark.parametrize(
    ("module", "package_of", "extra"),
    [
        ("sql", "sqlalchemy", "sql"),
        ("sql", "filelock", "sql"),
        ("redis", "redis.asyncio", "redis"),
        ("encrypted", "cryptography.fernet", "encryption"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    module: str, package_of: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded_late = (f"{package.__name__}.stores.", "tiktok_shop_async._storage.sql.")
    for name in [name for name in sys.modules if name.startswith(loaded_late)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package_of, None)
    with pytest.raises(ImportError, match=rf"tiktok-shop-async\[{extra}\]"):
        importlib.import_module(f"{package.__name__}.stores.{module}")


async def locked(store: Any, key: str) -> None:
    async with store.lock(key):
        pass
