"""Objects used in one event loop can be closed in another one after the first has ended."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import uvloop
from auth.databases import REDIS_URL, postgresql_database, redis_prefix
from webhooks.serving import WEBHOOKS, delivery, signed
from workers.crew import until

from tiktok_shop_async import AsyncTikTokShop, ClientClosedError, TikTokAPIError, TikTokShopOAuth
from tiktok_shop_async.auth import (
    Authorizations,
    MemoryTokenStore,
    RedisTokenStore,
    SQLTokenStore,
    TokenStore,
)
from tiktok_shop_async.batch import OrderLookup, SQLJournal
from tiktok_shop_async.limits import EndpointClass, LimitKey, RedisLimiter
from tiktok_shop_async.sandbox import Sandbox
from tiktok_shop_async.testing.sandboxes import serve_sandbox
from tiktok_shop_async.webhooks import (
    MemoryWebhookStore,
    RedisWebhookStore,
    SQLWebhookStore,
    WebhookPoller,
    WebhookReceiver,
    WebhookStore,
)


@attrs.frozen(kw_only=True)
class Place:
    """Servers whose event loops and processes outlive those of a test."""

    sandbox: Sandbox
    postgresql: str
    path: Path
    prefix: str

    def client(self, **options: Any) -> AsyncTikTokShop:
        return AsyncTikTokShop(
            self.sandbox.app_key,
            self.sandbox.app_secret,
            access_token=self.sandbox.access_token,
            shop_cipher=self.sandbox.shop_cipher,
            base_url=self.sandbox.base_url,
            **options,
        )


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve_sandbox() as sandbox:
        yield sandbox


async def call(client: AsyncTikTokShop) -> None:
    """Leave several connections open."""
    await asyncio.gather(*(client.order.get_order_list(page_size=1) for _ in range(3)))


async def client(place: Place) -> list[Any]:
    used = place.client()
    await call(used)
    return [used]


async def client_with_a_transport_of_httpx(place: Place) -> list[Any]:
    used = place.client(transport=httpx.AsyncHTTPTransport())
    await call(used)
    return [used]


async def oauth(place: Place) -> list[Any]:
    sandbox = place.sandbox
    used = TikTokShopOAuth(sandbox.app_key, sandbox.app_secret, base_url=sandbox.base_url)
    with suppress(TikTokAPIError):
        await used.refresh("unknown")
    return [Authorizations(used, MemoryTokenStore()), used]


async def poller(place: Place) -> list[Any]:
    used = place.client()
    polling = WebhookPoller(used, MemoryWebhookStore(), shop_id="7")
    await polling.__aenter__()
    await call(used)
    return [polling, used]


async def order_lookup(place: Place) -> list[Any]:
    used = place.client()
    lookup = OrderLookup(used)
    await lookup.order("1")
    return [lookup, used]


async def limiter(place: Place) -> list[Any]:
    used = RedisLimiter(REDIS_URL, prefix=place.prefix, hourly_budget=100)
    await used.acquire(LimitKey("app", "shop", EndpointClass.READ))
    return [used]


async def use_tokens(store: TokenStore) -> list[Any]:
    async with store.lock("nobody"):  # on a second connection
        await store.get("nobody")
    return [store]


async def tokens_in_sqlite(place: Place) -> list[Any]:
    return await use_tokens(SQLTokenStore(place.path / "tokens.db"))


async def tokens_in_memory_of_sqlite(place: Place) -> list[Any]:
    return await use_tokens(SQLTokenStore("sqlite://"))


async def tokens_in_postgresql(place: Place) -> list[Any]:
    store = SQLTokenStore(place.postgresql)
    await store.create_schema()
    return await use_tokens(store)


async def tokens_in_redis(place: Place) -> list[Any]:
    return await use_tokens(RedisTokenStore(REDIS_URL, prefix=place.prefix))


async def receive(store: WebhookStore) -> list[Any]:
    receiver = WebhookReceiver(WEBHOOKS, store=store)
    await receiver.__aenter__()
    assert await receiver.receive(*signed(delivery())) == 200

    async def is_handled() -> bool:
        return (await store.counts()).waiting == 0

    await until(is_handled)
    return [receiver, store]


async def receiver_in_memory(place: Place) -> list[Any]:
    return (await receive(MemoryWebhookStore()))[:1]


async def receiver_in_sqlite(place: Place) -> list[Any]:
    return await receive(SQLWebhookStore(place.path / "webhooks.db"))


async def receiver_in_postgresql(place: Place) -> list[Any]:
    store = SQLWebhookStore(place.postgresql)
    await store.create_schema()
    return await receive(store)


async def receiver_in_redis(place: Place) -> list[Any]:
    return await receive(RedisWebhookStore(REDIS_URL, prefix=place.prefix))


async def use_journal(journal: SQLJournal) -> list[Any]:
    await journal.create_schema()
    async with journal.open():
        pass
    await journal.counts()
    return [journal]


async def journal_in_sqlite(place: Place) -> list[Any]:
    return await use_journal(SQLJournal(place.path / "journal.db"))


async def journal_in_postgresql(place: Place) -> list[Any]:
    return await use_journal(SQLJournal(place.postgresql))


USES = [
    client,
    client_with_a_transport_of_httpx,
    oauth,
    poller,
    order_lookup,
    limiter,
    tokens_in_sqlite,
    tokens_in_memory_of_sqlite,
    tokens_in_postgresql,
    tokens_in_redis,
    receiver_in_memory,
    receiver_in_sqlite,
    receiver_in_postgresql,
    receiver_in_redis,
    journal_in_sqlite,
    journal_in_postgresql,
]


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Iterator[Place]:
    with asyncio.Runner() as runner:
        database, redis = postgresql_database(), redis_prefix()
        url = runner.run(database.__aenter__())
        prefix = runner.run(redis.__aenter__())
        try:
            yield Place(sandbox=sandbox, postgresql=url, path=tmp_path, prefix=prefix)
        finally:
            runner.run(redis.__aexit__(None, None, None))
            runner.run(database.__aexit__(None, None, None))


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("use", USES)
def test_it_closes_without_an_error_or_a_warning(
    use: Any,
    run: Callable[..., Any],
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # uvloop has some of its own at its end
        used = run(use(place))
    caplog.clear()
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    async def close() -> None:
        for each in used:
            await each.aclose()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run(close())
        used.clear()
        gc.collect()
    assert [str(each.message) for each in warned] == []
    assert unraisable == []
    assert [record.getMessage() for record in caplog.records if record.levelno > 20] == []


def test_a_client_that_was_closed_so_is_closed(place: Place) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        (used,) = asyncio.run(client(place))
    asyncio.run(used.aclose())
    with pytest.raises(ClientClosedError):
        asyncio.run(call(used))
