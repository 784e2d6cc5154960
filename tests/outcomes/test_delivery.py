"""A call that ends before any byte of its request was written is reported as not sent."""

from __future__ import annotations

import gc
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers.client import new_client
from helpers.transport.servers import Peer, serving
from outcomes.stubs import hang, read, write

import tiktok_shop_async.transport.connection  # noqa: F401 - imported here so that a deadline does not include it
from tiktok_shop_async import AsyncTikTokShop, OutcomeUnknownError, RequestTimeoutError

DEADLINE = 0.1


async def silent(peer: Peer) -> None:
    """Take the connection, and say nothing."""
    await hang()


async def took_it(peer: Peer) -> None:
    """Take the request, and say nothing."""
    await peer.request()
    await hang()


def by_own_transport(**options: Any) -> AsyncTikTokShop:
    return new_client(verify=False, **options)


def by_httpx(**options: Any) -> AsyncTikTokShop:
    return new_client(transport=httpx.AsyncHTTPTransport(verify=False), **options)


# anyio, on which httpx's own transport runs, leaves the socket of a cancelled handshake open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("client_of", [by_own_transport, by_httpx])
async def test_a_deadline_during_the_handshake_means_that_nothing_was_sent(client_of: Any) -> None:
    """TCP is connected, TLS is not: no byte of the request was written."""
    async with serving(silent) as server:
        base_url = f"https://127.0.0.1:{server.port}"
        async with client_of(base_url=base_url, deadline=DEADLINE) as client:
            for call in (write, read):
                with pytest.raises(RequestTimeoutError) as caught:
                    await call(client)
                assert not caught.value.maybe_sent
                del caught
    gc.collect()


@pytest.mark.parametrize("client_of", [by_own_transport, by_httpx])
async def test_a_deadline_after_the_request_was_written_leaves_the_outcome_unknown(
    client_of: Any,
) -> None:
    async with serving(took_it) as server:
        base_url = f"http://127.0.0.1:{server.port}"
        async with client_of(base_url=base_url, deadline=DEADLINE) as client:
            with pytest.raises(OutcomeUnknownError):
                await write(client)
            with pytest.raises(RequestTimeoutError) as of_a_read:
                await read(client)
            assert of_a_read.value.maybe_sent


@pytest.mark.parametrize("taken", [True, False])
async def test_by_way_of_a_proxy_the_connect_request_does_not_count(
    taken: bool, tmp_path: Path
) -> None:
    """The proxy got CONNECT; whether the service got the request is another question."""

    async def proxy(peer: Peer) -> None:
        assert (await peer.request()).startswith(b"CONNECT ")
        if taken:  # the tunnel stands, and the handshake in it is never answered
            await peer.answer(b"HTTP/1.1 200 OK\r\n\r\n")
        await hang()

    async with serving(proxy) as server:
        client = new_client(
            base_url="https://service.example",
            proxy=f"http://127.0.0.1:{server.port}",
            verify=ssl.create_default_context(),
            deadline=DEADLINE,
        )
        async with client:
            with pytest.raises(RequestTimeoutError) as caught:
                await write(client)
            assert not caught.value.maybe_sent


async def test_a_plain_request_by_way_of_a_proxy_counts_when_it_is_written() -> None:
    async with serving(took_it) as server:
        client = new_client(
            base_url="http://service.example",
            proxy=f"http://127.0.0.1:{server.port}",
            deadline=DEADLINE,
        )
        async with client:
            with pytest.raises(OutcomeUnknownError):
                await write(client)


async def test_a_transport_we_do_not_know_may_have_sent_what_it_was_given() -> None:
    class Unknown(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
            await hang()
            raise AssertionError

    async with new_client(transport=Unknown(), deadline=0.01) as client:
        with pytest.raises(OutcomeUnknownError):
            await write(client)
