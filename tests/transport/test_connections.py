"""The connection stack with real servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import random
import ssl
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import respx
import trustme
import uvloop
from servers import ANSWER, Peer, Server, serving

from tiktok_shop_async.transport import connection_stack as connections
from tiktok_shop_async.transport.connection import DirectConnection
from tiktok_shop_async.transport.connection_stack import ConnectionStackTransport


@pytest.fixture
async def transport() -> AsyncIterator[ConnectionStackTransport]:
    made = ConnectionStackTransport(trust_env=False)
    yield made
    await made.aclose()
    # Who is cancelled while connecting leaves a task that closes the connection once it is there.
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(left, timeout=5)


def get(url: str, timeout: float | None = 5.0) -> httpx.Request:
    return httpx.Request("GET", url, extensions={"timeout": httpx.Timeout(timeout).as_dict()})


async def fetch(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    response = await transport.handle_async_request(request)
    response.request = request
    try:
        await response.aread()
    finally:
        await response.aclose()
    return response


def url(server: Server, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.port}/"


def idle(transport: ConnectionStackTransport) -> int:
    return sum(len(stack) for stack in transport._idle.values())


async def test_one_call_after_the_other_uses_one_connection(
    transport: ConnectionStackTransport,
) -> None:
    async with serving() as server:
        for _ in range(5):
            response = await fetch(transport, get(url(server)))
            assert (response.status_code, response.json()) == (200, {"code": 0})
            assert response.http_version == "HTTP/1.1"
        assert server.connections == 1


async def test_the_connection_used_last_is_used_next(transport: ConnectionStackTransport) -> None:
    async with serving() as server:
        await asyncio.gather(*(fetch(transport, get(url(server))) for _ in range(20)))
        assert server.connections == idle(transport) == 20
        server.heads.clear()
        for _ in range(5):
            await fetch(transport, get(url(server)))
        assert len({number for number, _ in server.heads}) == 1


async def test_a_connection_that_died_while_idle_is_replaced_unnoticed(
    transport: ConnectionStackTransport,
) -> None:
    async def answer_once(peer: Peer) -> None:
        await peer.request()
        await peer.answer()

    async with serving(answer_once) as server:
        for _ in range(4):
            await fetch(transport, get(url(server)))
            await server.all_closed()
        assert server.connections == 4


async def test_a_half_closed_connection_is_replaced_unnoticed(
    transport: ConnectionStackTransport,
) -> None:
    async def answer_and_half_close(peer: Peer) -> None:
        await peer.request()
        await peer.answer()
        peer.writer.write_eof()
        await peer.reader.read()

    async with serving(answer_and_half_close) as server:
        await fetch(transport, get(url(server)))
        await asyncio.sleep(0.005)
        await fetch(transport, get(url(server)))
        assert server.connections == 2


async def test_a_connection_with_unasked_data_is_not_used_again(
    transport: ConnectionStackTransport,
) -> None:
    async def answer_too_much(peer: Peer) -> None:
        while await peer.request():
            await peer.answer()
            await asyncio.sleep(0.001)
            await peer.answer(b"HTTP/1.1 408 Request Timeout\r\n\r\n")

    async with serving(answer_too_much) as server:
        for _ in range(3):
            assert (await fetch(transport, get(url(server)))).status_code == 200
            await asyncio.sleep(0.005)
        assert server.connections == 3


async def test_connections_of_httpx_itself_are_used_once(
    transport: ConnectionStackTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those through SOCKS proxies, and under respx: httpx does not look for excess."""
    monkeypatch.setattr(connections, "is_httpcore_replaced", lambda: True)

    async def answer_twice(peer: Peer) -> None:
        while await peer.request():
            await peer.answer(ANSWER * 2)

    async with serving(answer_twice) as server:
        for _ in range(3):
            assert (await fetch(transport, get(url(server)))).json() == {"code": 0}
        assert server.connections == 3
        await server.all_closed()


async def test_an_expired_connection_is_closed_and_replaced() -> None:
    transport = ConnectionStackTransport(trust_env=False, keepalive_expiry=0.0)
    async with serving() as server:
        for _ in range(3):
            await fetch(transport, get(url(server)))
            await asyncio.sleep(0.001)
        assert server.connections == 3
        assert idle(transport) <= 1
    await transport.aclose()


async def test_idle_connections_whose_time_is_over_are_closed_one_with_each_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(connections, "time", SimpleNamespace(monotonic=lambda: now))
    transport = ConnectionStackTransport(trust_env=False, keepalive_expiry=10)
    async with serving() as server:
        await asyncio.gather(*(fetch(transport, get(url(server))) for _ in range(3)))
        for seconds, left in ((6, 3), (6, 2), (6, 1)):
            now += seconds
            await fetch(transport, get(url(server)))
            assert (server.connections, idle(transport)) == (3, left)
        await transport.aclose()
        await server.all_closed()


async def test_an_answer_cut_short_is_an_error_and_its_connection_is_gone(
    transport: ConnectionStackTransport,
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.request()
        await peer.answer(ANSWER[:-4])

    async with serving(cut) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(transport, get(url(server)))
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(transport, get(url(server)))
        assert server.connections == 2


async def test_a_response_closed_early_takes_its_connection_along(
    transport: ConnectionStackTransport,
) -> None:
    async def endless(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n")
        while True:
            await peer.answer(b"x" * 65536)

    async with serving(endless) as server:
        response = await transport.handle_async_request(get(url(server)))
        async for _ in response.aiter_raw():
            break
        await response.aclose()
        await response.aclose()
        assert idle(transport) == 0


async def test_a_refused_connection_is_a_connect_error(transport: ConnectionStackTransport) -> None:
    async with serving() as server:
        gone = url(server)
    with pytest.raises(httpx.ConnectError):
        await fetch(transport, get(gone))


@pytest.mark.parametrize("silent_after", [0, 1])
async def test_a_slow_server_is_a_read_timeout(
    transport: ConnectionStackTransport, silent_after: int
) -> None:
    async def silent(peer: Peer) -> None:
        for _ in range(silent_after):
            await peer.request()
            await peer.answer()
        await peer.reader.read()

    async with serving(silent) as server:
        for _ in range(silent_after):
            await fetch(transport, get(url(server)))
        with pytest.raises(httpx.ReadTimeout):
            await fetch(transport, get(url(server), timeout=0.01))
        assert idle(transport) == 0


async def test_a_reset_is_a_read_error(transport: ConnectionStackTransport) -> None:
    async def reset(peer: Peer) -> None:
        await peer.request()
        peer.writer.transport.abort()

    async with serving(reset) as server:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await fetch(transport, get(url(server)))


async def test_a_server_that_stops_reading_is_a_write_timeout(
    transport: ConnectionStackTransport,
) -> None:
    async def deaf(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.get_running_loop().create_future()

    async def much() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    async with serving(deaf) as server:
        timeout = httpx.Timeout(5, write=0.01).as_dict()
        request = httpx.Request(
            "POST", url(server), content=much(), extensions={"timeout": timeout}
        )
        with pytest.raises(httpx.WriteTimeout):
            await fetch(transport, request)


async def test_a_large_answer_arrives_whole(transport: ConnectionStackTransport) -> None:
    body = bytes(range(251)) * 20_000

    async def large(peer: Peer) -> None:
        while await peer.request():
            await peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    async with serving(large) as server:
        responses = await asyncio.gather(*(fetch(transport, get(url(server))) for _ in range(3)))
        assert all(response.content == body for response in responses)
        response = await transport.handle_async_request(get(url(server)))
        await asyncio.sleep(0.01)  # the server has to wait while nobody reads
        assert await response.aread() == body


async def test_a_storm_of_cancellations_leaves_no_broken_connection(
    transport: ConnectionStackTransport,
) -> None:
    rng = random.Random(7)  # noqa: S311 - a storm that repeats itself

    async def hesitant(peer: Peer) -> None:
        while await peer.request():
            for _ in range(rng.randrange(5)):
                await asyncio.sleep(0)
            await peer.answer(ANSWER[:50])
            await asyncio.sleep(0)
            await peer.answer(ANSWER[50:])

    async with serving(hesitant) as server:
        for _ in range(30):
            tasks = [asyncio.create_task(fetch(transport, get(url(server)))) for _ in range(10)]
            for _ in range(rng.randrange(25)):
                await asyncio.sleep(0)
            for task in rng.sample(tasks, 5):
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(result, (httpx.Response, asyncio.CancelledError))
                if isinstance(result, httpx.Response):
                    assert result.json() == {"code": 0}
        assert idle(transport) <= 10
        await transport.aclose()
        await server.all_closed()


async def test_a_connection_that_died_at_the_last_moment_is_replaced_unnoticed(
    transport: ConnectionStackTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is seen after it was chosen, and before anything was written."""
    async with serving() as server:
        await fetch(transport, get(url(server)))
        for writer in server.open:
            writer.transport.abort()
        await asyncio.sleep(0.005)
        monkeypatch.setattr(DirectConnection, "is_usable", lambda _: True)
        assert (await fetch(transport, get(url(server)))).status_code == 200
        assert server.connections == 2


async def test_a_body_that_cannot_be_repeated_is_not_repeated(
    transport: ConnectionStackTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def once() -> AsyncIterator[bytes]:
        yield b"x"

    async with serving() as server:
        await fetch(transport, get(url(server)))
        for writer in server.open:
            writer.transport.abort()
        await asyncio.sleep(0.005)
        monkeypatch.setattr(DirectConnection, "is_usable", lambda _: True)
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, httpx.Request("POST", url(server), content=once()))
        assert len(server.heads) == 1


async def test_cancelled_while_connecting_it_leaves_no_socket_open(
    transport: ConnectionStackTransport,
) -> None:
    async with serving() as server:
        for turns in range(12):
            task = asyncio.create_task(fetch(transport, get(url(server))))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await transport.aclose()
        await server.all_closed()


async def test_only_http_is_spoken(transport: ConnectionStackTransport) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        await fetch(transport, get("ftp://shop.example/"))


async def test_a_host_that_cannot_exist_is_a_connect_error(
    transport: ConnectionStackTransport,
) -> None:
    with pytest.raises(httpx.ConnectError):
        await fetch(transport, get(f"http://{'x' * 64}.example/"))


async def test_the_log_shows_neither_the_query_nor_the_headers_of_a_request(
    transport: ConnectionStackTransport, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        async with serving() as server:
            request = get(f"{url(server)}?sign=tell-nobody")
            request.headers["x-tts-access-token"] = "tell-nobody"
            await fetch(transport, request)
    assert "connected to 127.0.0.1" in caplog.text
    assert "tell-nobody" not in caplog.text


async def test_origins_do_not_share_connections(transport: ConnectionStackTransport) -> None:
    async with serving() as one, serving() as other:
        for _ in range(3):
            await fetch(transport, get(url(one)))
            await fetch(transport, get(url(other)))
            await fetch(transport, get(url(other, "localhost")))
        assert (one.connections, other.connections) == (1, 2)


async def test_a_connection_given_back_after_the_end_is_closed(
    transport: ConnectionStackTransport,
) -> None:
    async with serving() as server:
        response = await transport.handle_async_request(get(url(server)))
        await transport.aclose()
        assert await response.aread() == b'{"code":0}'
        assert idle(transport) == 0


@pytest.mark.parametrize("without_poll", [False, True])
async def test_what_the_loop_has_not_seen_yet_ends_a_connection(
    transport: ConnectionStackTransport, monkeypatch: pytest.MonkeyPatch, without_poll: bool
) -> None:
    if without_poll:  # as on Windows
        monkeypatch.delattr("select.poll")
    async with serving() as server:
        for _ in range(3):
            await fetch(transport, get(url(server)))
            writer = list(server.open)[-1]
            writer.get_extra_info("socket")._sock.send(b"?")  # no turn of the loop until it is used
        assert server.connections == 3


def test_it_works_on_uvloop_too() -> None:
    async def main() -> None:
        transport = ConnectionStackTransport(trust_env=False)
        async with serving() as server:
            for _ in range(3):
                assert (await fetch(transport, get(url(server)))).status_code == 200
            assert server.connections == 1
        await transport.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@respx.mock
async def test_respx_intercepts_it(transport: ConnectionStackTransport) -> None:
    route = respx.get("https://shop.example/a").respond(json={"code": 0})
    response = await fetch(transport, get("https://shop.example/a"))
    assert response.json() == {"code": 0}
    assert route.called


async def test_a_mock_is_not_bypassed_by_an_idle_connection(
    transport: ConnectionStackTransport,
) -> None:
    """And a route that passes through reaches the real server."""
    async with serving() as server:
        codes = [(await fetch(transport, get(url(server)))).json()["code"]]
        with respx.mock:
            route = respx.get(url(server)).respond(json={"code": 7})
            codes.append((await fetch(transport, get(url(server)))).json()["code"])
            route.pass_through()
            codes.append((await fetch(transport, get(url(server)))).json()["code"])
        codes.append((await fetch(transport, get(url(server)))).json()["code"])
        assert codes == [0, 7, 0, 0]
        assert server.connections == 2


class TestTLS:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def server_context(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        return context

    async def test_a_trusted_server_is_reached_and_its_connection_kept(
        self, authority: trustme.CA, server_context: ssl.SSLContext
    ) -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        transport = ConnectionStackTransport(verify=context, trust_env=False)
        async with serving(context=server_context) as server:
            for _ in range(5):
                response = await fetch(transport, get(f"https://localhost:{server.port}/"))
                assert response.json() == {"code": 0}
                await asyncio.sleep(0.002)
            assert server.connections == 1
            stream = response.extensions["network_stream"]
            assert stream.get_extra_info("ssl_object").version() == "TLSv1.3"
            await transport.aclose()

    async def test_an_unknown_authority_is_a_connect_error(
        self, server_context: ssl.SSLContext, transport: ConnectionStackTransport
    ) -> None:
        async with serving(context=server_context) as server:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await fetch(transport, get(f"https://localhost:{server.port}/"))
            await asyncio.sleep(0.005)  # the server's side ends too

    async def test_one_context_serves_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[Any] = []
        real = httpx.create_ssl_context
        monkeypatch.setattr(httpx, "create_ssl_context", lambda **o: made.append(o) or real(**o))
        connections._new_ssl_context.cache_clear()
        found = await asyncio.gather(
            *(asyncio.to_thread(connections.shared_ssl_context, True, False) for _ in range(10))
        )
        assert len(set(map(id, found))) == len(made) == 1


class TestProxies:
    @staticmethod
    async def forward(peer: Peer) -> None:
        """Answer plain requests oneself, and connect tunnels to where they ask."""
        head = await peer.request()
        if not head.startswith(b"CONNECT "):
            await peer.answer(ANSWER.replace(b'{"code":0}', b'{"code":9}'))
            return
        host, _, port = head.split(b" ")[1].decode().partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await peer.answer(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        try:
            await asyncio.gather(pump(peer.reader, writer), pump(reader, peer.writer))
        finally:
            writer.transport.abort()

    async def test_plain_requests_are_forwarded_with_the_proxys_credentials(self) -> None:
        heads = []

        async def forward(peer: Peer) -> None:
            while head := await peer.request():
                heads.append(head)
                await peer.answer()

        async with serving(forward) as proxy:
            address = f"http://user:pass@127.0.0.1:{proxy.port}"
            transport = ConnectionStackTransport(proxy=address)
            for _ in range(2):
                await fetch(transport, get("http://shop.example/a"))
            await transport.aclose()
            assert proxy.connections == 1
        assert heads[0].startswith(b"GET http://shop.example/a HTTP/1.1")
        assert base64.b64encode(b"user:pass") in heads[0]

    async def test_encrypted_requests_go_through_a_tunnel(self) -> None:
        authority = trustme.CA()
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(server_context)
        context = ssl.create_default_context()
        authority.configure_trust(context)
        async with serving(context=server_context) as server, serving(self.forward) as proxy:
            transport = ConnectionStackTransport(
                proxy=f"http://127.0.0.1:{proxy.port}", verify=context
            )
            for _ in range(3):
                response = await fetch(transport, get(f"https://localhost:{server.port}/"))
                assert response.json() == {"code": 0}
            assert (proxy.connections, server.connections) == (1, 1)
            await transport.aclose()

    @pytest.mark.parametrize(
        ("variables", "proxied"),
        [
            ({"http_proxy": "{proxy}"}, True),
            ({"all_proxy": "{proxy}"}, True),
            ({"http_proxy": "{bare}"}, True),
            ({"https_proxy": "{proxy}"}, False),
            ({"http_proxy": "{proxy}", "no_proxy": "localhost,127.0.0.1"}, False),
        ],
    )
    async def test_proxies_of_the_environment_are_honoured(
        self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxied: bool
    ) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        async with serving() as server, serving(self.forward) as proxy:
            bare = f"127.0.0.1:{proxy.port}"
            for name, value in variables.items():
                monkeypatch.setenv(name, value.format(proxy=f"http://{bare}", bare=bare))
            transport = ConnectionStackTransport()
            response = await fetch(transport, get(url(server)))
            assert response.json() == {"code": 9 if proxied else 0}
            await transport.aclose()
            blind = ConnectionStackTransport(trust_env=False)
            assert (await fetch(blind, get(url(server)))).json() == {"code": 0}
            await blind.aclose()

    async def test_a_proxy_that_refuses_is_a_proxy_error(self) -> None:
        async def refuse(peer: Peer) -> None:
            await peer.request()
            await peer.answer(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

        async with serving(refuse) as proxy:
            transport = ConnectionStackTransport(proxy=f"http://127.0.0.1:{proxy.port}")
            with pytest.raises(httpx.ProxyError):
                await fetch(transport, get("https://shop.example/"))
            await transport.aclose()
