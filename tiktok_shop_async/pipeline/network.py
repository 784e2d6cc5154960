"""Sockets for httpcore, straight on asyncio.

httpcore's own backend goes through anyio, whose cancel scopes and checkpoints take longer than the
HTTP that they carry. This one offers the same, on asyncio alone.
"""

# ruff: noqa: ASYNC109 - the timeout parameters are httpcore's interface

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpcore

from .delivery import Delivery

_HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds before the next address of a host is tried beside the first (RFC 8305)."""
_LEAST_SENT = 16 * 1024
"""Bytes written that do not wait for more, or for the answer to be asked for."""
_MOST_BUFFERED = 256 * 1024
"""Bytes read ahead before the server has to wait."""


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Makes TCP connections on the running event loop."""

    delivery = Delivery()
    """Of the request that is written next."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect, trying all addresses of ``host`` in turn."""
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if isinstance(loop, asyncio.BaseEventLoop):  # uvloop is none, and does not know this
            options["happy_eyeballs_delay"] = _HAPPY_EYEBALLS_DELAY
        if local_address is not None:
            options["local_addr"] = (local_address, 0)
        # Cancelled at its finish, asyncio's race of addresses loses the winner's socket. So it runs
        # in a task that nobody cancels, and the connection is closed if nobody waits any more.
        connecting = asyncio.ensure_future(_connected(host, port, timeout, options))
        try:
            protocol = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_abort_connected)
            raise
        for option in socket_options or ():
            protocol.transport.get_extra_info("socket").setsockopt(*option)
        return _Stream(protocol, self)


async def _connected(
    host: str, port: int, timeout: float | None, options: dict[str, Any]
) -> _Protocol:
    with _mapped(httpcore.ConnectError, httpcore.ConnectTimeout):
        async with asyncio.timeout(timeout):
            loop = asyncio.get_running_loop()
            _, protocol = await loop.create_connection(_Protocol, host, port, **options)
            return protocol


def _abort_connected(connecting: asyncio.Future[_Protocol]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().transport.abort()


class _Protocol(asyncio.Protocol):
    """Collects what arrives, and holds the server back when it is too much."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if len(self.received) > _MOST_BUFFERED:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.error = exc
        self._wake()
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    async def read(self, max_bytes: int) -> bytes:
        while not self.received and not self.ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self.received and self.error:
            raise self.error
        data = bytes(self.received[:max_bytes])
        del self.received[:max_bytes]
        if not self.ended and len(self.received) <= _MOST_BUFFERED:
            self.transport.resume_reading()
        return data

    @property
    def may_write(self) -> bool:
        return self._may_write.is_set()

    async def drain(self) -> None:
        await self._may_write.wait()
        if self.error:
            raise self.error

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


class _Stream(httpcore.AsyncNetworkStream):
    """One connection, as httpcore uses it."""

    def __init__(self, protocol: _Protocol, backend: AsyncioBackend) -> None:
        self._protocol = protocol
        self._backend = backend
        self._unsent = bytearray()
        self._sent_any = False  # of the request that is being written

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._send()
        self._sent_any = False  # the answer is awaited: what is written next is another request
        with _mapped(httpcore.ReadError, httpcore.ReadTimeout):
            async with asyncio.timeout(timeout):
                return await self._protocol.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # httpcore writes head and body apart; together they are one packet and one system call.
        self._unsent += buffer
        if len(self._unsent) < _LEAST_SENT:
            return
        self._send()
        if not self._protocol.may_write:
            with _mapped(httpcore.WriteError, httpcore.WriteTimeout):
                async with asyncio.timeout(timeout):
                    await self._protocol.drain()

    def _send(self) -> None:
        if not self._unsent:
            return
        data, self._unsent = bytes(self._unsent), bytearray()
        transport = self._protocol.transport
        if transport.is_closing():
            # A caller may repeat what surely did not leave, and only that.
            gone = httpcore.WriteError if self._sent_any else httpcore.ConnectError
            raise gone(str(self._protocol.error or "the connection was closed"))
        self._sent_any = True
        self._backend.delivery.maybe_sent = True
        transport.write(data)

    async def aclose(self) -> None:
        # An orderly end would wait for the other side: to take what is unsent, to end TLS too.
        self._protocol.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        protocol = self._protocol
        with _mapped(httpcore.ConnectError, httpcore.ConnectTimeout):
            try:
                async with asyncio.timeout(timeout):
                    transport = await asyncio.get_running_loop().start_tls(
                        protocol.transport, protocol, ssl_context, server_hostname=server_hostname
                    )
            except BaseException:
                protocol.transport.abort()
                raise
        assert transport is not None
        protocol.transport = transport
        return self

    def get_extra_info(self, info: str) -> Any:
        protocol = self._protocol
        match info:
            case "is_readable":
                # What arrived and is not read yet counts, and what the loop has not seen yet too.
                return bool(protocol.received) or protocol.ended or _has_news(protocol.transport)
            case "client_addr":
                return protocol.transport.get_extra_info("sockname")
            case "server_addr":
                return protocol.transport.get_extra_info("peername")
            case _:
                return protocol.transport.get_extra_info(info)


def _has_news(transport: asyncio.Transport) -> bool:
    socket = transport.get_extra_info("socket")
    if socket is None or socket.fileno() < 0:
        return True
    if not hasattr(select, "poll"):  # Windows, whose select takes sockets of any number
        return bool(select.select([socket.fileno()], [], [], 0)[0])
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def _mapped(failed: type[Exception], timed_out: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise timed_out(str(error)) from error
    except (OSError, UnicodeError) as error:  # the latter for a name that cannot be one of a host
        raise failed(str(error)) from error
