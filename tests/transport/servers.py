"""Small servers on real loopback sockets, and the requests that they received."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

ANSWER = (
    b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{"code":0}'
)

Behaviour = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The server's side of one connection."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Return the next request's head; empty after the client has disconnected."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        length = next(
            (
                int(line[15:])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            ),
            0,
        )
        await self.reader.readexactly(length)
        return head

    async def answer(self, data: bytes = ANSWER) -> None:
        self.writer.write(data)
        await self.writer.drain()


class Server:
    """A server that counts its connections and stores the heads of its requests."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.connections = 0
        self.heads: list[tuple[int, bytes]] = []
        self.port = 0
        self.open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def all_closed(self) -> None:
        """Wait until no connection is open."""
        tasks = [task for task in self.open.values() if task]
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        assert not self.open

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open[writer] = asyncio.current_task()
        try:
            await self._behaviour(Peer(self.connections, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            del self.open[writer]
            writer.transport.abort()


@asynccontextmanager
async def serving(
    behaviour: Behaviour | None = None, context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve ``behaviour`` on a free port; by default, respond to every request."""

    async def answer_all(peer: Peer) -> None:
        while head := await peer.request():
            server.heads.append((peer.number, head))
            await peer.answer()

    server = Server(behaviour or answer_all)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=context, backlog=1000)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        serving = [task for task in server.open.values() if task]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)
