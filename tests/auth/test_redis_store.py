"""What is Redis's own: locks with a time to live, keys, clients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from helpers.auth.databases import REDIS_URL, redis_prefix
from redis.asyncio import Redis

from tiktok_shop_async import InvalidArgumentError, StaleVersionError, TokenStoreError
from tiktok_shop_async.auth import RedisTokenStore

NewStore = Callable[..., RedisTokenStore]


@pytest.fixture
async def client() -> AsyncIterator[Redis]:
    async with Redis.from_url(REDIS_URL) as client:
        yield client


@pytest.fixture
async def prefix() -> AsyncIterator[str]:
    async with redis_prefix() as prefix:
        yield prefix


@pytest.fixture
def new_store(client: Redis, prefix: str) -> NewStore:
    return lambda **options: RedisTokenStore(client, prefix=prefix, **options)


async def test_a_holder_keeps_its_lock_longer_than_its_time_to_live(new_store: NewStore) -> None:
    async with new_store(lock_ttl=0.2).lock("shop"):
        with pytest.raises(TokenStoreError, match=r"not free within 0\.8"):
            async with new_store(lock_timeout=0.8).lock("shop"):
                pass


async def test_who_lost_the_lock_cannot_overwrite(
    new_store: NewStore, prefix: str, client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """A holder whose process stood still: it is told by the version, and frees no other's lock."""
    slow, quick = new_store(lock_ttl=0.3), new_store()
    version = await slow.put("shop", b"old", version=0)
    async with slow.lock("shop"):
        await client.delete(f"{prefix}lock:shop")  # as if it had expired
        async with quick.lock("shop"):
            await quick.put("shop", b"newer", version=version)
            with pytest.raises(StaleVersionError):
                await slow.put("shop", b"older", version=version)
            async with asyncio.timeout(5):
                while "the lock of shop was lost" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            held = await client.get(f"{prefix}lock:shop")
        await quick.put("another", b"", version=0)
    assert held is not None
    assert (await quick.get("shop")).value == b"newer"  # type: ignore[union-attr]
    assert caplog.record_tuples[0][:2] == ("tiktok_shop_async.auth", logging.WARNING)


async def test_the_lock_of_the_next_one_stays(
    new_store: NewStore, prefix: str, client: Redis
) -> None:
    next_one = new_store().lock("shop")
    async with new_store().lock("shop"):
        await client.delete(f"{prefix}lock:shop")
        await next_one.__aenter__()
    assert await client.exists(f"{prefix}lock:shop") == 1
    await next_one.__aexit__(None, None, None)
    assert await client.exists(f"{prefix}lock:shop") == 0


async def test_tokens_never_expire_and_locks_do(
    new_store: NewStore, prefix: str, client: Redis
) -> None:
    store = new_store(lock_ttl=20)
    async with store.lock("shop"):
        await store.put("shop", b"token", version=0)
        assert 0 < await client.pttl(f"{prefix}lock:shop") <= 20_000
    assert await client.ttl(f"{prefix}token:shop") == -1


@asynccontextmanager
async def losing_answers(mark: bytes) -> AsyncIterator[str]:
    """Redis behind a proxy that drops its first answer to what has ``mark`` in it."""
    url, lost = httpx.URL(REDIS_URL), False

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal lost
        from_server, to_server = await asyncio.open_connection(url.host, url.port or 6379)
        while request := await reader.read(65536):
            to_server.write(request)
            answer = await from_server.read(65536)
            if mark in request and not lost:
                lost = True
                break
            writer.write(answer)
        for each in (to_server, writer):
            each.close()
            await each.wait_closed()

    async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        yield str(url.copy_with(host="127.0.0.1", port=port))
        assert lost


async def test_a_write_whose_answer_was_lost_is_sent_again(prefix: str) -> None:
    """On another connection, where it finds what it wrote itself."""
    async with losing_answers(b"TOKEN") as url, RedisTokenStore(url, prefix=prefix) as store:
        await store.put("warm", b"", version=0)  # the script is known from here on
        assert await store.put("shop", b"TOKEN", version=0) == 1
        with pytest.raises(StaleVersionError):
            await store.put("shop", b"TOKEN", version=0)


async def test_a_lock_whose_answer_was_lost_is_had(prefix: str) -> None:
    async with (
        losing_answers(b"lock:shop") as url,
        RedisTokenStore(url, prefix=prefix) as store,
        asyncio.timeout(5),
        store.lock("shop"),
    ):
        pass


async def test_a_client_is_borrowed(client: Redis, prefix: str) -> None:
    async with RedisTokenStore(client, prefix=prefix) as store:
        await store.put("shop", b"token", version=0)
    assert await client.exists(f"{prefix}token:shop") == 1


async def test_prefixes_are_taken_literally(client: Redis, prefix: str) -> None:
    for part in ("[ab]*", "a"):
        store = RedisTokenStore(client, prefix=f"{prefix}{part}:")
        await store.put(part, b"", version=0)
        assert await store.keys() == [part]


async def test_a_key_of_somebody_else_is_told(
    new_store: NewStore, prefix: str, client: Redis
) -> None:
    await client.set(f"{prefix}token:shop", "no hash")
    for work in (new_store().get("shop"), new_store().put("shop", b"SECRET", version=0)):
        with pytest.raises(TokenStoreError, match="shop failed") as caught:
            await work
        assert "SECRET" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    "server", ["http://me:PASSWORD@host", Redis(decode_responses=True)], ids=["url", "decoding"]
)
def test_a_server_that_cannot_be_used_is_refused(server: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        RedisTokenStore(server)
    assert caught.value.argument == "server"
    assert "PASSWORD" not in f"{caught.value!r} {caught.value.__context__!r}"
