"""A shop on a raw socket that cancels orders; the test decides each byte of its responses."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import trustme
from support import new_client

from tiktok_shop_async import AsyncTikTokShop


def response_to(order: str, *, head: bytes = b"", missing: int = 0) -> bytes:
    """Return the response that confirms the cancellation of only this ``order``."""
    return framed(
        json.dumps(
            {
                "code": 0,
                "message": "Success",
                "request_id": f"request-{order}",
                "data": {"cancel_id": f"cancel-{order}", "cancel_status": "SUCCESS"},
            }
        ).encode(),
        head=head,
        missing=missing,
    )


def framed(body: bytes, *, head: bytes = b"", missing: int = 0) -> bytes:
    """Return a response with ``body``, whose Content-Length is ``missing`` too short."""
    length = b"content-length: %d\r\n" % (len(body) - missing)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + head + length + b"\r\n" + body


class RawPeer:
    """The shop's side of one connection."""

    def __init__(
        self, shop: RawShop, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = shop.connections
        self.writer = writer
        self.received = 0
        """Bytes read while waiting for the end."""
        self._shop = shop
        self._reader = reader

    async def order(self) -> str | None:
        """Return the order that the next request cancels, and record it; None at the end."""
        if not (head := await self.head()):
            return None
        fields = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
        )
        body = await self.body(int(fields.get(b"content-length", b"0")))
        order = str(json.loads(body)["order_id"])
        self._shop.seen[order] += 1
        return order

    async def head(self) -> bytes:
        """Return the next request's head; empty at the end."""
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def body(self, length: int) -> bytes:
        """Return the body of a request whose head was read."""
        return await self._reader.readexactly(length)

    async def write(self, *segments: bytes) -> None:
        """Write each of ``segments`` separately."""
        for segment in segments:
            self.writer.write(segment)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def closed(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(ConnectionError):
            while data := await self._reader.read(65536):
                self.received += len(data)


Script = Callable[[RawPeer], Awaitable[None]]


class RawShop:
    """A shop that runs a script for each connection and counts the requests for each order."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.connections = 0
        self.seen: Counter[str] = Counter()
        self.base_url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._script(RawPeer(self, reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client closed the connection, or the test is over
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def all_closed(self) -> None:
        """Wait until every connection has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def raw_shop(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawShop]:
    """Serve ``script`` on a free port of 127.0.0.1."""
    shop = RawShop(script)
    listener = await asyncio.start_server(shop.accept, "127.0.0.1", 0, ssl=tls, backlog=1000)
    port = listener.sockets[0].getsockname()[1]
    shop.base_url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    try:
        yield shop
    finally:
        listener.close()
        await shop.end()


class Certificates:
    """A server's TLS context for localhost, and a client's that trusts it."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self.server)
        self.client = ssl.create_default_context()
        authority.configure_trust(self.client)


def client_of(
    shop: RawShop, certificates: Certificates | None = None, **options: Any
) -> AsyncTikTokShop:
    """Return a client of ``shop`` with its own connections."""
    options = {"trust_env": False, "timeout": 5.0, "base_url": shop.base_url} | options
    if certificates is not None:
        options["verify"] = certificates.client
    return new_client(**options)
