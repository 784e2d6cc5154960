"""Names of SQLite files: two names are never one file, whatever their characters."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers.client import FakeShop, new_client
from sqlalchemy import URL

from tiktok_shop_async import InvalidArgumentError
from tiktok_shop_async.auth import SQLTokenStore
from tiktok_shop_async.batch import SQLJournal, run_batch
from tiktok_shop_async.webhooks import NewEvent, SQLWebhookStore
from tiktok_shop_async.webhooks.stores.opening import open_store

NAMES = [
    "monday?shop=1.db",
    "monday?shop=2.db",
    "monday?1.db",
    "monday",
    "monday#1.db",
    "monday#2.db",
    "50%25.db",
    "50%.db",
    "a b.db",
    "a+b.db",
    " a.db",
    "back\\slash.db",
    "back/slash.db",
    "bestellungen-äöü-订单.db",
    "file:monday.db",
    "file:monday.db?mode=memory",
    "file::memory:",
    ":memory:.db",
    ":memory:?cache=shared",
    "monday.db&uri=true",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "back").mkdir()
    return tmp_path


def files(folder: Path) -> set[str]:
    """Return the names of all databases in a folder."""
    found = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)) for file in found if ".locks" not in file.parent.name} - {
        str(file.relative_to(folder)) for file in folder.rglob("*-[ws][ah][lm]")
    }


@pytest.mark.parametrize("kind", [str, Path, "absolute"])
async def test_each_name_is_a_journal_of_its_own(shop: FakeShop, folder: Path, kind: Any) -> None:
    """A batch with a new name sends its requests, and the same name again sends none."""
    shop.answer({})

    async def run(name: str) -> int:
        place = str(folder / name) if kind == "absolute" else kind(name)
        before = len(shop.requests)
        cancel = client.return_refund.cancel_order
        request = {"order_id": "1", "cancel_reason": "sold out"}
        async with run_batch(cancel, [request], key=lambda _: "1", journal=place) as batch:
            assert [outcome.status async for outcome in batch] == ["succeeded"]
        return len(shop.requests) - before

    async with new_client(httpx.MockTransport(shop.handle_async_request)) as client:
        assert [(name, await run(name)) for name in NAMES] == [(name, 1) for name in NAMES]
        assert [(name, await run(name)) for name in NAMES] == [(name, 0) for name in NAMES]
    assert files(folder) == set(NAMES)
    assert {(folder / name).stat().st_mode & 0o777 for name in NAMES} == {0o600}


@pytest.mark.parametrize("kind", [str, Path])
async def test_each_name_is_a_webhook_store_of_its_own(folder: Path, kind: Any) -> None:
    for name in NAMES:
        store, _ = open_store(kind(name))
        assert isinstance(store, SQLWebhookStore)
        async with store:
            assert await store.add(NewEvent(id="1", body=b"{}"))
            assert not await store.add(NewEvent(id="1", body=b"{}"))
    assert files(folder) == set(NAMES)


async def test_each_path_is_a_token_store_of_its_own(folder: Path) -> None:
    for name in NAMES:
        async with SQLTokenStore(Path(name)) as store, store.lock("key"):
            assert await store.put("key", name.encode(), version=0)
    for name in NAMES:
        async with SQLTokenStore(Path(name)) as store:
            entry = await store.get("key")
            assert entry is not None
            assert entry.value == name.encode()
    assert files(folder) == set(NAMES)


MAKE: list[Callable[[Any], object]] = [SQLJournal, SQLTokenStore, SQLWebhookStore]


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///monday?shop=1.db",
        "sqlite:///monday?1.db",
        "sqlite:///file:monday?mode=memory",
        URL.create("sqlite", database="monday", query={"shop": "1.db"}),
    ],
)
def test_a_url_with_options_that_would_be_ignored_is_rejected(
    make: Callable[[Any], object], url: str | URL
) -> None:
    """SQLAlchemy ignores them, so two names with a question mark would be one file."""
    with pytest.raises(InvalidArgumentError, match=r"unknown options: .*pathlib\.Path"):
        make(url)


@pytest.mark.parametrize("make", [SQLJournal, SQLWebhookStore])
@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///file::memory:?uri=true"])
def test_a_database_in_memory_is_rejected(make: Callable[[Any], object], url: str) -> None:
    with pytest.raises(InvalidArgumentError, match="in memory"):
        make(url)


@pytest.mark.parametrize("place", [":memory:", ""])
async def test_text_that_names_no_file_is_rejected(
    place: str | PathLike[str], shop: FakeShop
) -> None:
    with pytest.raises(InvalidArgumentError, match="in memory"):
        open_store(place)
    async with new_client(httpx.MockTransport(shop.handle_async_request)) as client:
        batch = run_batch(client.order.get_order_list, [{}], key=lambda _: "1", journal=place)
        with pytest.raises(InvalidArgumentError, match="in memory"):
            await anext(batch)
