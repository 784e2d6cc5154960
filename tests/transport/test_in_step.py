"""A response is reported only for its own request, whatever else the server sends.

Each request cancels an order of its own, each response names its order, and the shop counts what it
saw. The tests use sockets and the client's public interface only, so they hold for any transport.
"""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
import uvloop
from raw_shop import Certificates, RawPeer, RawShop, client_of, framed, raw_shop, response_to

from tiktok_shop_async import (
    AsyncTikTokShop,
    ConnectError,
    OutcomeUnknownError,
    TikTokShopError,
)

ORDERS = [f"57948948324014{number}" for number in range(10, 15)]

EXCESS: dict[str, Callable[[str], bytes]] = {
    "the response again": response_to,
    "the response of another order": lambda _: response_to("999"),
    "two more responses": lambda order: response_to(order) * 2,
    "an unsolicited 408": lambda _: b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
    "a 408 and the end": lambda _: b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n",
    "a blank line": lambda _: b"\r\n",
    "a line feed": lambda _: b"\n",
    "a NUL": lambda _: b"\0",
    "half a response": lambda order: response_to(order)[:40],
    "an interim response": lambda _: b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "garbage": lambda _: b'"}}}',
}


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(params=["plain", "TLS"])
def security(request: pytest.FixtureRequest, certificates: Certificates) -> Certificates | None:
    return certificates if request.param == "TLS" else None


def server_side(security: Certificates | None) -> Any:
    return security and security.server


async def cancel(client: AsyncTikTokShop, order: str) -> str:
    """Cancel ``order`` and return which one the response is about, or the error's class."""
    try:
        response = await client.return_refund.cancel_order(order_id=order, cancel_reason="x")
    except TikTokShopError as error:
        return type(error).__name__
    assert response.data.cancel_id is not None
    return response.data.cancel_id.removeprefix("cancel-")


def assert_honest(shop: RawShop, reported: dict[str, str]) -> None:
    """Assert that each success is about its own order, and that no order was sent twice."""
    for order, outcome in reported.items():
        if not outcome.endswith("Error"):
            assert outcome == order
            assert shop.seen[order] == 1
        elif outcome == "ConnectError":
            assert shop.seen[order] == 0
    assert max(shop.seen.values(), default=1) == 1


@pytest.mark.parametrize("excess", EXCESS.values(), ids=EXCESS)
@pytest.mark.parametrize("together", [True, False], ids=["one segment", "several segments"])
async def test_bytes_after_a_response_are_never_taken_for_the_next_one(
    security: Certificates | None, excess: Callable[[str], bytes], together: bool
) -> None:
    """Any excess closes the connection: the next call uses another, and is sent before it reads."""
    sent = asyncio.Event()

    async def script(peer: RawPeer) -> None:
        while order := await peer.order():
            segments = [response_to(order), excess(order)]
            await peer.write(*([b"".join(segments)] if together else segments))
            sent.set()

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security, max_retries=2) as client,
    ):
        reported = {}
        for number, order in enumerate(ORDERS):
            view = client.for_shop(shop_cipher=f"cipher-{number}")
            sent.clear()
            reported[order] = await cancel(view, order)
            async with asyncio.timeout(2):  # what follows the next request, nobody can tell apart
                await sent.wait()
        assert_honest(shop, reported)
        assert reported == {order: order for order in ORDERS}
        assert shop.connections == len(ORDERS)


@pytest.mark.parametrize("excess", EXCESS.values(), ids=EXCESS)
async def test_excess_that_comes_before_the_body_is_read_closes_the_connection(
    security: Certificates | None, excess: Callable[[str], bytes]
) -> None:
    """The end of the body and the excess arrive together, after the head was handed over."""

    async def script(peer: RawPeer) -> None:
        while order := await peer.order():
            response = response_to(order)
            await peer.write(response[:-20], response[-20:] + excess(order))

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        reported = {order: await cancel(client, order) for order in ORDERS}
        assert_honest(shop, reported)
        assert reported == {order: order for order in ORDERS}
        assert shop.connections == len(ORDERS)


@pytest.mark.parametrize("excess", EXCESS.values(), ids=EXCESS)
@pytest.mark.parametrize("together", [True, False], ids=["one segment", "several segments"])
async def test_concurrent_calls_of_many_shops_keep_their_own_responses(
    security: Certificates | None, excess: Callable[[str], bytes], together: bool
) -> None:
    orders = [str(number) for number in range(100, 140)]

    async def script(peer: RawPeer) -> None:
        while order := await peer.order():
            segments = [response_to(order), excess(order)]
            await peer.write(*([b"".join(segments)] if together else segments))

    async def cancel_in_turn(client: AsyncTikTokShop, mine: list[str]) -> dict[str, str]:
        outcomes = {}
        for order in mine:
            outcomes[order] = await cancel(client.for_shop(shop_cipher=f"cipher-{order}"), order)
            await asyncio.sleep(0.01)  # until what is to come has come
        return outcomes

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security, max_in_flight=4, max_retries=2) as client,
    ):
        outcomes = await asyncio.gather(
            *(cancel_in_turn(client, orders[first::8]) for first in range(8))
        )
        reported = {order: outcome for each in outcomes for order, outcome in each.items()}
        assert_honest(shop, reported)
        if together:
            assert reported == {order: order for order in orders}


@pytest.mark.parametrize("together", [True, False], ids=["one segment", "several segments"])
async def test_a_content_length_that_is_too_short_confirms_no_other_order(
    security: Certificates | None, together: bool
) -> None:
    async def script(peer: RawPeer) -> None:
        while order := await peer.order():
            response = response_to(order, missing=5)
            await peer.write(*([response] if together else [response[:-5], response[-5:]]))

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        reported = {order: await cancel(client, order) for order in ORDERS}
        assert_honest(shop, reported)
        assert set(reported.values()) == {"OutcomeUnknownError"}
        assert dict(shop.seen) == dict.fromkeys(ORDERS, 1)


async def test_of_two_responses_to_a_reused_connection_neither_is_believed(
    security: Certificates | None,
) -> None:
    """A late copy of an earlier response arrives with the next one: nobody can tell them apart."""

    async def script(peer: RawPeer) -> None:
        late = b""
        while order := await peer.order():
            await peer.write(late + response_to(order))
            late = response_to(order)

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        reported = {order: await cancel(client, order) for order in ORDERS}
        assert_honest(shop, reported)
        assert [reported[order] for order in ORDERS] == [
            ORDERS[0],
            "OutcomeUnknownError",
            ORDERS[2],
            "OutcomeUnknownError",
            ORDERS[4],
        ]


async def test_a_408_in_place_of_a_response_leaves_a_write_unknown(
    security: Certificates | None,
) -> None:
    """A server ends an idle connection with a 408 while the next request is on its way."""

    async def script(peer: RawPeer) -> None:
        order = await peer.order()
        assert order is not None
        await peer.write(response_to(order))
        await peer.order()
        await peer.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n")

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        assert await cancel(client, "1") == "1"
        assert await cancel(client, "2") == "OutcomeUnknownError"
        assert shop.seen == {"1": 1, "2": 1}


class SlowFile(io.BytesIO):
    """Waits at each read after the first ``reads`` until the server has written something."""

    def __init__(self, size: int, reads: int) -> None:
        super().__init__(b"x" * size)
        self.written = asyncio.Event()
        self._left = reads
        self._loop = asyncio.get_running_loop()

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            asyncio.run_coroutine_threadsafe(self.written.wait(), self._loop).result(5)
        return super().read(size)


async def test_a_greeting_before_the_request_is_no_response_to_it(
    security: Certificates | None,
) -> None:
    """What arrives on a new connection before anything is written closes it: nothing was sent."""
    file = SlowFile(100, reads=1)  # the first one, before it connects, looks if it is empty

    async def script(peer: RawPeer) -> None:
        await peer.write(response_to("999"))
        file.written.set()
        await peer.closed()
        received.set_result(peer.received)

    received = asyncio.get_running_loop().create_future()
    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        upload = client.product.upload_product_image(data=file)
        with pytest.raises(ConnectError) as caught:
            await upload
        assert not caught.value.maybe_sent
        async with asyncio.timeout(2):
            assert await received == 0


async def test_a_success_before_the_request_was_sent_entirely_is_not_believed() -> None:
    """No server can have carried out a request that it does not have yet."""
    file = SlowFile(300_000, reads=4)

    async def script(peer: RawPeer) -> None:
        await peer.head()
        await peer.write(response_to("1"))
        file.written.set()
        await peer.closed()

    async with raw_shop(script) as shop, client_of(shop) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.product.upload_product_image(data=file)


async def test_an_interim_response_during_an_upload_is_no_early_response() -> None:
    """Some servers send 100 Continue unasked."""
    file = SlowFile(300_000, reads=4)

    async def script(peer: RawPeer) -> None:
        while head := await peer.head():
            await peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            file.written.set()
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await peer.body(int(length))
            await peer.write(response_to("1"))

    async with raw_shop(script) as shop, client_of(shop) as client:
        for _ in range(2):
            await client.product.upload_product_image(data=file)
        assert shop.connections == 1


async def test_a_refusal_before_the_request_was_sent_entirely_is_reported() -> None:
    """A server that refuses an upload early is heard, and its connection is not used again."""

    async def script(peer: RawPeer) -> None:
        await peer.head()
        body = b'{"code":36009002,"message":"slow down","request_id":"r"}'
        head = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: %d\r\n\r\n" % len(body)
        await peer.write(head + body)
        await peer.closed()

    async with raw_shop(script) as shop, client_of(shop, timeout=30.0) as client:
        for _ in range(2):
            with pytest.raises(TikTokShopError) as caught:
                await client.product.upload_product_image(data=b"x" * 8_000_000)
            assert getattr(caught.value, "code", None) == 36009002
        assert shop.connections == 2


HEADS = {
    "interim responses first": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
        b"",
        1,
    ),
    "connection: close": (b"", b"connection: close\r\n", 5),
    "keep-alive": (b"", b"connection: keep-alive\r\nkeep-alive: timeout=60\r\n", 1),
}


@pytest.mark.parametrize(("before", "head", "connections"), HEADS.values(), ids=HEADS)
async def test_a_clean_connection_is_reused_unless_the_server_says_close(
    security: Certificates | None, before: bytes, head: bytes, connections: int
) -> None:
    async def script(peer: RawPeer) -> None:
        while order := await peer.order():
            await peer.write(before + response_to(order, head=head))

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        reported = {order: await cancel(client, order) for order in ORDERS}
        assert reported == {order: order for order in ORDERS}
        assert shop.connections == connections


@pytest.mark.parametrize("split", [1, 7, 64, 100_000])
@pytest.mark.parametrize("excess", [b"", b"\r\n", b"0\r\n\r\n"])
async def test_chunked_responses_end_where_they_say(
    security: Certificates | None, split: int, excess: bytes
) -> None:
    """A chunked response leaves a clean connection, unless more follows its last chunk."""

    async def script(peer: RawPeer) -> None:
        while order := await peer.order():
            head, _, body = response_to(order).partition(b"\r\n\r\n")
            head = head.partition(b"content-length")[0] + b"transfer-encoding: chunked\r\n\r\n"
            chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:9], body[9:])]
            sent = b"".join([head, *chunks, b"0\r\n\r\n", excess])
            await peer.write(*(sent[at : at + split] for at in range(0, len(sent), split)))

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        reported = {}
        for order in ORDERS:
            reported[order] = await cancel(client, order)
            await asyncio.sleep(0.01)
        assert_honest(shop, reported)
        assert reported == {order: order for order in ORDERS}
        assert shop.connections == (len(ORDERS) if excess else 1)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_a_body_where_none_may_be_is_excess(
    security: Certificates | None, status: bytes
) -> None:
    """A 204 or 304 has no body, so bytes that follow its head belong to nobody."""

    async def script(peer: RawPeer) -> None:
        while order := await peer.order():
            _, _, body = response_to(order).partition(b"\r\n\r\n")
            await peer.write(
                b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)
            )

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        reported = {order: await cancel(client, order) for order in ORDERS}
        assert_honest(shop, reported)
        assert set(reported.values()) == {"OutcomeUnknownError"}
        assert shop.connections == len(ORDERS)


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
async def test_a_response_that_ends_with_its_connection(
    security: Certificates | None, version: bytes
) -> None:
    async def script(peer: RawPeer) -> None:
        order = await peer.order()
        assert order is not None
        _, _, body = response_to(order).partition(b"\r\n\r\n")
        await peer.write(version + b" 200 OK\r\n\r\n" + body)
        peer.writer.close()
        await peer.writer.wait_closed()

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        reported = {order: await cancel(client, order) for order in ORDERS}
        assert reported == {order: order for order in ORDERS}
        assert shop.connections == len(ORDERS)


async def test_a_keep_alive_of_http_1_0_is_not_relied_on() -> None:
    async def script(peer: RawPeer) -> None:
        while order := await peer.order():
            response = response_to(order, head=b"connection: keep-alive\r\n")
            await peer.write(response.replace(b"HTTP/1.1", b"HTTP/1.0", 1))

    async with raw_shop(script) as shop, client_of(shop) as client:
        reported = {order: await cancel(client, order) for order in ORDERS}
        assert reported == {order: order for order in ORDERS}


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_connection_closed_while_idle_is_replaced_and_nothing_is_sent_twice(
    security: Certificates | None, how: str
) -> None:
    ended = asyncio.Event()

    async def script(peer: RawPeer) -> None:
        order = await peer.order()
        assert order is not None
        await peer.write(response_to(order))
        getattr(peer.writer.transport, how)()
        for _ in range(5):
            await asyncio.sleep(0)  # until it has really happened
        ended.set()
        await peer.closed()

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security) as client,
    ):
        reported = {}
        for order in ORDERS:
            ended.clear()
            reported[order] = await cancel(client, order)
            async with asyncio.timeout(2):
                await ended.wait()
        assert reported == {order: order for order in ORDERS}
        assert dict(shop.seen) == dict.fromkeys(ORDERS, 1)


async def test_a_connection_closed_on_accept_is_said_to_be_unsure_or_unsent() -> None:
    """Whoever cannot know if the request left says so."""

    async def script(peer: RawPeer) -> None:
        peer.writer.transport.abort()

    async with raw_shop(script) as shop, client_of(shop) as client:
        for order in ORDERS:
            with pytest.raises((ConnectError, OutcomeUnknownError)):
                await client.return_refund.cancel_order(order_id=order, cancel_reason="x")
        assert not shop.seen


async def test_cancelled_calls_leave_no_response_behind(security: Certificates | None) -> None:
    """A call that is cancelled takes its connection with it, at whatever point it is."""

    async def script(peer: RawPeer) -> None:
        while order := await peer.order():
            response = response_to(order)
            await peer.write(response[:30], response[30:])

    async with (
        raw_shop(script, server_side(security)) as shop,
        client_of(shop, security, max_in_flight=5) as client,
    ):
        reported: dict[str, str] = {}

        async def note(order: str) -> None:
            reported[order] = await cancel(client, order)

        for turn in range(60):
            tasks = [asyncio.create_task(note(f"{turn}{number:03}")) for number in range(6)]
            for _ in range(turn % 20):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert_honest(shop, reported)
        assert len(reported) >= 180


def test_it_holds_on_uvloop_too(certificates: Certificates) -> None:
    async def main() -> None:
        for security in (None, certificates):
            for excess in EXCESS.values():
                await test_bytes_after_a_response_are_never_taken_for_the_next_one(
                    security, excess, together=True
                )
                await test_bytes_after_a_response_are_never_taken_for_the_next_one(
                    security, excess, together=False
                )
            await test_of_two_responses_to_a_reused_connection_neither_is_believed(security)
            await test_cancelled_calls_leave_no_response_behind(security)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@asynccontextmanager
async def forwarding(tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run a proxy that forwards requests and opens tunnels, and yield its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        writers = [writer]
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            verb, target, _ = head.split(b" ", 2)
            address = httpx.URL(f"//{target.decode()}" if verb == b"CONNECT" else target.decode())
            onward, back = await asyncio.open_connection(
                address.host, address.port, family=socket.AF_INET
            )
            writers.append(back)
            if verb == b"CONNECT":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                back.write(head)
            await asyncio.gather(pump(reader, back), pump(onward, writer))
        except (asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            tasks.discard(task)
            for each in writers:
                each.transport.abort()

    listener = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    yield f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    listener.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks)


class TestThroughAProxy:
    """A proxy's connections are reused by the same rule."""

    @pytest.mark.parametrize("excess", EXCESS.values(), ids=EXCESS)
    async def test_excess_closes_the_connection(
        self, security: Certificates | None, excess: Callable[[str], bytes]
    ) -> None:
        async def script(peer: RawPeer) -> None:
            while order := await peer.order():
                await peer.write(response_to(order) + excess(order))

        async with (
            forwarding() as proxy,
            raw_shop(script, server_side(security)) as shop,
            client_of(shop, security, proxy=proxy) as client,
        ):
            reported = {}
            for order in ORDERS:
                reported[order] = await cancel(client, order)
                await asyncio.sleep(0.005)
            assert_honest(shop, reported)
            assert reported == {order: order for order in ORDERS}

    @pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
    @pytest.mark.parametrize("proxy_is_secure", [False, True])
    def test_a_clean_connection_is_reused(
        self,
        security: Certificates | None,
        certificates: Certificates,
        proxy_is_secure: bool,
        loop: Callable[[], asyncio.AbstractEventLoop],
    ) -> None:
        """Also where TLS runs inside of TLS."""

        async def script(peer: RawPeer) -> None:
            while order := await peer.order():
                await peer.write(response_to(order))

        async def main() -> None:
            async with (
                forwarding(certificates.server if proxy_is_secure else None) as proxy,
                raw_shop(script, server_side(security)) as shop,
                client_of(shop, certificates, proxy=proxy) as client,
            ):
                reported = {order: await cancel(client, order) for order in ORDERS}
                assert reported == {order: order for order in ORDERS}
                assert shop.connections == 1

        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main())

    async def test_bytes_after_the_proxys_consent_are_refused(
        self, certificates: Certificates
    ) -> None:
        """They come from nobody that was asked, and nothing was sent."""

        async def consent(peer: RawPeer) -> None:
            await peer.head()
            await peer.write(b"HTTP/1.1 200 OK\r\n\r\n" + response_to("1"))
            await peer.closed()

        async with (
            raw_shop(consent) as proxy,
            client_of(
                proxy, certificates, base_url="https://shop.example", proxy=proxy.base_url
            ) as client,
        ):
            with pytest.raises(ConnectError) as caught:
                await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
            assert not caught.value.maybe_sent


async def test_reads_are_repeated_when_their_response_is_in_doubt() -> None:
    """A read that met a late response is sent again, and reports its own data."""
    numbers = iter(range(100))

    async def script(peer: RawPeer) -> None:
        late = b""
        while await peer.head():
            body = b'{"code":0,"request_id":"%d","data":{"orders":[]}}' % next(numbers)
            await peer.write(late + framed(body))
            late = framed(body)

    async def no_wait(_: float) -> None:
        pass

    async with (
        raw_shop(script) as shop,
        client_of(shop, max_retries=3, sleep=no_wait) as client,
    ):
        found = [await client.order.get_order_detail(ids=["1"]) for _ in range(3)]
        assert [response.request_id for response in found] == ["0", "2", "4"]
