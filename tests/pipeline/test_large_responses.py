"""Responses have a size limit before and after decoding; large ones do not block the event loop."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pipeline.parts import Parts
from support import new_client

from tiktok_shop_async import (
    InvalidArgumentError,
    OutcomeUnknownError,
    ResponseDecodeError,
    TikTokShopOAuth,
)
from tiktok_shop_async.pipeline import run
from tiktok_shop_async.protocol import envelope
from tiktok_shop_async.transport import receiving

LIMIT = 10_000
SUCCESS = {"code": 0, "data": {"orders": []}}


def success(size: int, padding: str = "x") -> bytes:
    """Return a body of ``size`` bytes that says success."""
    body = json.dumps(SUCCESS | {"padding": ""})
    return body.replace('""', f'"{padding * (size - len(body))}"').encode()


def answering(parts: Parts, **headers: str) -> httpx.MockTransport:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.MockTransport(lambda _: httpx.Response(200, headers=fields, stream=parts))


def bomb(megabytes: int) -> bytes:
    """Return gzip of so many MB."""
    made = zlib.compressobj(9, wbits=31)
    block = bytes(1_000_000)
    return b"".join([*(made.compress(block) for _ in range(megabytes)), made.flush()])


async def read(client: Any) -> Any:
    return await client.order.get_order_detail(ids=["1"])


async def write(client: Any) -> Any:
    return await client.return_refund.cancel_order(order_id="1", cancel_reason="x")


@pytest.mark.parametrize("encode", [bytes, gzip.compress, zlib.compress])
@pytest.mark.parametrize("excess", [0, 1])
async def test_the_limit_counts_the_decompressed_body(encode: Any, excess: int) -> None:
    encoding = {gzip.compress: "gzip", zlib.compress: "deflate"}.get(encode, "identity")
    parts = Parts(encode(success(LIMIT + excess)))
    transport = answering(parts, content_encoding=encoding)
    async with new_client(transport, max_response_bytes=LIMIT) as client:
        if not excess:
            assert len((await read(client)).raw) == LIMIT
            return
        with pytest.raises(
            ResponseDecodeError, match="max_response_bytes, which is 10,000"
        ) as caught:
            await read(client)
        assert "max_response_bytes" in (caught.value.hint or "")
        assert caught.value.http_status == 200
        with pytest.raises(OutcomeUnknownError) as unknown:
            await write(client)
        assert isinstance(unknown.value.__cause__, ResponseDecodeError)


async def test_the_limit_counts_the_compressed_body_too() -> None:
    """As many small gzip members decompress to next to nothing."""
    members = gzip.compress(b"") * 1000
    transport = answering(Parts(gzip.compress(success(200)) + members), content_encoding="gzip")
    async with new_client(transport, max_response_bytes=LIMIT) as client:
        with pytest.raises(ResponseDecodeError, match="larger than max_response_bytes"):
            await read(client)


async def test_what_exceeds_the_limit_is_not_read_any_further() -> None:
    parts = Parts(*[b" " * 1000] * 1000)
    async with new_client(answering(parts), max_response_bytes=LIMIT) as client:
        with pytest.raises(ResponseDecodeError):
            await read(client)
    assert parts.taken == 11
    assert parts.closed


@asynccontextmanager
async def endless_server() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A server that sends zeros until the client closes; its URL, and whether that happened."""
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                await writer.drain()
        except OSError:
            closed.set()
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", closed


async def test_the_connection_of_a_response_that_is_too_large_is_closed() -> None:
    async with (
        endless_server() as (url, closed),
        new_client(base_url=url, max_response_bytes=1_000_000, trust_env=False) as client,
    ):
        with pytest.raises(ResponseDecodeError):
            await read(client)
        await asyncio.wait_for(closed.wait(), 5)


@pytest.mark.parametrize("layers", [1, 2])
async def test_a_bomb_is_not_expanded_in_memory(layers: int) -> None:
    """A thousandth of its size in gzip, and much less again in gzip of gzip."""
    body = bomb(200)
    if layers == 2:
        body = gzip.compress(body)
    transport = answering(Parts(body), content_encoding=", ".join(["gzip"] * layers))
    async with new_client(transport, max_response_bytes=5_000_000) as client:
        tracemalloc.start()
        try:
            with pytest.raises(OutcomeUnknownError):
                await write(client)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 30_000_000


async def test_small_parts_take_no_more_memory_than_large_ones() -> None:
    """A server can send a body in chunks of two bytes, each of which would be an object."""

    class Drops(Parts):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for at in range(250_000):
                yield b"%02d" % (at % 100)

    transport = answering(Drops())
    async with new_client(transport, max_response_bytes=400_000) as client:
        tracemalloc.start()
        try:
            with pytest.raises(ResponseDecodeError, match="larger than max_response_bytes"):
                await read(client)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 2_000_000


async def test_a_large_compressed_body_is_decompressed_in_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However little comes out: thousands of empty gzip members take as long as their bytes."""
    threads: list[threading.Thread] = []
    decode = receiving.decode_content

    def spied(*args: Any) -> bytes:
        threads.append(threading.current_thread())
        return decode(*args)

    monkeypatch.setattr(receiving, "decode_content", spied)
    empty = gzip.compress(b"")
    body = empty * (receiving.MAX_INLINE_BYTES // len(empty) + 1) + gzip.compress(success(200))
    async with new_client(answering(Parts(body), content_encoding="gzip")) as client:
        assert (await write(client)).code == 0
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_large_responses_are_decoded_in_a_thread(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    decode = receiving.decode_content
    document = {"code": 0, "data": {"orders": [{"id": "1", "status": "x"}] * 60_000}}

    def spied(*args: Any) -> bytes:
        threads.append(threading.current_thread())
        return decode(*args)

    def decoding_spied(*args: Any) -> Any:
        threads.append(threading.current_thread())
        return envelope.decode(*args)

    monkeypatch.setattr(receiving, "decode_content", spied)
    body = json.dumps(document).encode()
    sent = gzip.compress(body) if encoding == "gzip" else body
    async with new_client(answering(Parts(sent), content_encoding=encoding)) as client:
        monkeypatch.setattr(run, "decode", decoding_spied)
        response = await read(client)
    assert len(response.data.orders) == 60_000
    assert response.raw == body
    assert threads[-1] is not threading.main_thread()
    assert all(thread is threading.main_thread() for thread in threads[:-2])


async def test_without_a_thread_a_large_response_is_decoded_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def none(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(receiving, "in_thread", none)
    transport = answering(Parts(success(2_000_000)))
    async with new_client(transport) as client:
        assert (await write(client)).code == 0


@pytest.mark.parametrize("value", [0, -1, 2.5, "100", None, True])
def test_the_limit_is_a_positive_integer(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="max_response_bytes must be a positive integer"):
        new_client(max_response_bytes=value)


async def test_token_responses_have_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(*[bytes(1_000_000)] * 200)
    async with TikTokShopOAuth("key", "secret", transport=answering(parts)) as oauth:
        with pytest.raises(ResponseDecodeError):
            await oauth.refresh("refresh-token")
    assert parts.taken < 110
