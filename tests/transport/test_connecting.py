"""Connections are made in time, whatever the application's threads and host addresses do."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from raw_shop import Certificates, RawPeer, client_of, framed, raw_shop, response_to

from tiktok_shop_async import ConnectError, RequestTimeoutError

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
NAME = "shop.example"


async def confirm(peer: RawPeer) -> None:
    while order := await peer.order():
        await peer.write(response_to(order))


@pytest.fixture
async def busy_executor() -> AsyncIterator[None]:
    """Keep the only thread of the loop's default executor busy until the test has ended."""
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(1)
    loop.set_default_executor(executor)
    free = threading.Event()
    executor.submit(free.wait)
    yield
    free.set()


class TestBusyExecutor:
    """What the application does in the loop's default executor delays no call."""

    @pytest.mark.usefixtures("busy_executor")
    @pytest.mark.parametrize("verify", ["own context", "shared context"])
    async def test_a_new_tls_connection_by_name(self, verify: str) -> None:
        certificates = Certificates()
        options: dict[str, Any] = {} if verify == "own context" else {"verify": False}
        async with asyncio.timeout(4), raw_shop(confirm, certificates.server) as shop:
            client = client_of(shop, certificates if not options else None, **options)
            async with client:
                response = await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
                assert response.data.cancel_id == "cancel-1"

    @pytest.mark.usefixtures("busy_executor")
    async def test_uploads(self, tmp_path: Path) -> None:
        async def take(peer: RawPeer) -> None:
            while head := await peer.head():
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await peer.body(length)
                await peer.write(response_to("1"))

        path = tmp_path / "image.png"
        path.write_bytes(b"x" * 300_000)
        async with asyncio.timeout(4), raw_shop(take) as shop, client_of(shop) as client:
            await client.product.upload_product_image(data=path)

    @pytest.mark.usefixtures("busy_executor")
    async def test_downloads(self, tmp_path: Path) -> None:
        async def give(peer: RawPeer) -> None:
            while await peer.head():
                await peer.write(framed(b'{"code":0,"data":{"file":{"base64":"eHl6"}}}'))

        path = tmp_path / "file"
        async with asyncio.timeout(4), raw_shop(give) as shop, client_of(shop) as client:
            download = client.affiliate_seller.download_compass_task_file
            await download(task_id="1", save_to=path)
        assert path.read_bytes() == b"xyz"


@contextmanager
def resolved(
    monkeypatch: pytest.MonkeyPatch, lookup: Callable[[str], list[str]]
) -> Iterator[list[str]]:
    """Have ``lookup`` resolve names in place of the system; yield the names asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != NAME:
            return real(host, port, *args, **kwargs)
        if socket.AI_NUMERICHOST in args:
            raise socket.gaierror(socket.EAI_NONAME, "not an address")
        asked.append(host)
        kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(socket.AF_INET, *kind, (address, port)) for address in lookup(host)]

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield asked


async def test_a_lookup_that_hangs_ends_with_the_connect_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing was sent then, and calls to other hosts go on."""
    free = threading.Event()

    def hang(_: str) -> list[str]:
        free.wait(10)
        return ["127.0.0.1"]

    async with raw_shop(confirm) as shop:
        named = shop.base_url.replace("127.0.0.1", NAME)
        with resolved(monkeypatch, hang) as asked:
            async with client_of(shop, base_url=named, timeout=0.05) as client:
                for order in ("1", "2", "3"):
                    with pytest.raises(RequestTimeoutError) as caught:
                        await client.return_refund.cancel_order(order_id=order, cancel_reason="x")
                    assert not caught.value.maybe_sent
            assert len(asked) == 1  # who asks meanwhile waits for the same lookup
            async with client_of(shop) as client:
                await client.return_refund.cancel_order(order_id="4", cancel_reason="x")
            free.set()
        assert dict(shop.seen) == {"4": 1}


async def test_connections_made_at_once_share_a_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_shop(confirm) as shop:
        named = shop.base_url.replace("127.0.0.1", NAME)
        with resolved(monkeypatch, lambda _: ["127.0.0.1"]) as asked:
            async with client_of(shop, base_url=named) as client:
                cancel = client.return_refund.cancel_order
                await asyncio.gather(
                    *(cancel(order_id=str(order), cancel_reason="x") for order in range(50))
                )
        assert shop.connections == 50
        assert len(asked) < 10


async def test_a_name_that_is_not_found_is_a_connect_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with raw_shop(confirm) as shop:
        named = shop.base_url.replace("127.0.0.1", NAME)
        with resolved(monkeypatch, fail):
            async with client_of(shop, base_url=named) as client:
                with pytest.raises(ConnectError, match="Name or service not known"):
                    await client.return_refund.cancel_order(order_id="1", cancel_reason="x")


@contextmanager
def hanging(address: str, port: int) -> Iterator[None]:
    """Listen on ``address`` with a full queue, so that whoever connects waits for ever."""
    with socket.socket() as listener:
        listener.bind((address, port))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex((address, port))
        try:
            yield
        finally:
            for each in waiting:
                each.close()


@pytest.mark.parametrize("loop", LOOPS)
class TestHappyEyeballs:
    """A host's next address is tried beside one that does not respond, on every loop."""

    def test_a_first_address_that_hangs(self, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> None:
            async with raw_shop(confirm) as shop:
                port = int(shop.base_url.rpartition(":")[2])
                named = shop.base_url.replace("127.0.0.1", NAME)
                with (
                    hanging("127.0.0.2", port),
                    resolved(monkeypatch, lambda _: ["127.0.0.2", "127.0.0.1"]),
                ):
                    async with client_of(shop, base_url=named, timeout=2.0) as client:
                        await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
            assert dict(shop.seen) == {"1": 1}

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(main())

    def test_an_address_that_refuses(self, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> None:
            async with raw_shop(confirm) as shop:
                named = shop.base_url.replace("127.0.0.1", NAME)
                addresses = ["127.0.0.3", "127.0.0.1"]
                with resolved(monkeypatch, lambda _: addresses):
                    async with client_of(shop, base_url=named) as client:
                        await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
                addresses.pop()
                with resolved(monkeypatch, lambda _: ["127.0.0.3", "127.0.0.4"]):
                    async with client_of(shop, base_url=named) as client:
                        with pytest.raises(ConnectError):
                            await client.return_refund.cancel_order(order_id="2", cancel_reason="x")
            assert dict(shop.seen) == {"1": 1}

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(main())

    @pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.3", "127.0.0.1"]])
    @pytest.mark.parametrize("secure", [False, True])
    def test_a_call_cancelled_while_connecting_leaves_no_socket_open(
        self, loop: str, addresses: list[str], secure: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An open socket would fail the test by its ResourceWarning, or stay open at the shop."""
        certificates = Certificates() if secure else None

        async def main() -> None:
            async with raw_shop(confirm, certificates and certificates.server) as shop:
                named = shop.base_url.replace("127.0.0.1", NAME)
                with resolved(monkeypatch, lambda _: addresses):
                    async with client_of(shop, certificates, base_url=named) as client:
                        for turns in range(40):
                            cancel = client.return_refund.cancel_order(
                                order_id=str(turns), cancel_reason="x"
                            )
                            task = asyncio.ensure_future(cancel)
                            for _ in range(turns):
                                await asyncio.sleep(0)
                            task.cancel()
                            await asyncio.wait([task])
                async with asyncio.timeout(2):
                    await shop.all_closed()

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(main())
