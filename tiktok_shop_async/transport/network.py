"""A connection on asyncio: its socket, TLS, and the order in which bytes were sent and received."""

# ruff: noqa: ASYNC109 - each step has its own timeout, as in httpx
# ruff: noqa: D102 - asyncio documents what a protocol has

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import httpx
from aiohappyeyeballs import start_connection

from .._internal.threads import shared_in_thread
from .delivery import Delivery

_HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds before the next address of a host is tried in parallel (RFC 8305)."""
_MIN_WRITE = 16 * 1024
"""Bytes to collect before they are written; the end of a request writes the rest."""
_MAX_READ_AHEAD = 1024 * 1024
"""Maximum bytes that are received and not read yet; then reading from the socket pauses."""


async def open_stream(host: str, port: int) -> Stream:
    """Connect to ``host``; try its next address in parallel if one does not respond."""
    addresses = await _addresses(host, port)
    try:
        connected = await start_connection(addresses, happy_eyeballs_delay=_HAPPY_EYEBALLS_DELAY)
    except RuntimeError as error:  # uvloop raises it for some failures
        raise OSError(str(error)) from None
    except OSError as error:  # a frame of its traceback refers to it: that would be a cycle
        raise error.with_traceback(None) from None
    try:
        _, stream = await asyncio.get_running_loop().create_connection(Stream, sock=connected)
    except BaseException:
        connected.close()
        raise
    return stream


async def _addresses(host: str, port: int) -> list[Any]:
    kind = (socket.AF_UNSPEC, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:  # an IP address needs no lookup, and so no thread
        return socket.getaddrinfo(host, port, *kind, socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await shared_in_thread(socket.getaddrinfo, host, port, *kind)


class Stream(asyncio.Protocol):
    """A connection that records which bytes were received before they were read.

    Small writes are collected until `end`, so that a request takes one packet and one system call.
    """

    def __init__(self) -> None:
        self.delivery = Delivery()
        """The delivery of the current request: whether any of its bytes was written."""
        self.answered_early = False
        """Whether bytes were received before the current request was sent completely."""
        self._transports: list[asyncio.Transport] = []  # TLS adds one on top; the last one is used
        self._received = bytearray()
        self._unsent = bytearray()
        self._is_sending = False
        self._ended = False
        self._was_held_back = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    # Called by asyncio ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transports.append(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        if not self.answered_early and (self._is_sending or not self.is_flushed()):
            self.answered_early = True
        self._received += data
        if len(self._received) > _MAX_READ_AHEAD:
            self._was_held_back = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._error = exc
        self._wake()
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    # State ---------------------------------------------------------------------------------------

    def is_quiet(self) -> bool:
        """Return whether it is open and no byte was received, not even one still on the socket.

        TLS messages on the socket count too: then the connection is replaced needlessly, which is
        rare and harmless.
        """
        return self._is_open() and not self._received and not _has_news(self._transport)

    def is_spent(self) -> bool:
        """Return whether all written bytes were sent, and all received bytes were read.

        False if reading was ever paused: TLS may still have received bytes in its buffer.
        """
        return (
            self._is_open() and not self._received and not self._was_held_back and self.is_flushed()
        )

    def is_flushed(self) -> bool:
        """Return whether the operating system has accepted all written bytes."""
        return not self._unsent and not any(
            transport.get_write_buffer_size() for transport in self._transports
        )

    def unread(self) -> bytes:
        """Return the bytes that were received and not read yet."""
        return bytes(self._received)

    async def settle(self) -> None:
        """Let the loop read what is on the socket: TLS messages, or unexpected bytes."""
        for _ in range(3):  # one turn to notice it, one to read it, one for TLS to pass it on
            if self._received or self._ended or not _has_news(self._transport):
                return
            await asyncio.sleep(0)

    # Reading and writing -------------------------------------------------------------------------

    def begin(self, delivery: Delivery) -> None:
        """Start a request, no byte of which was written."""
        self.delivery = delivery
        self.answered_early = False
        self._is_sending = True

    async def write(self, data: bytes, timeout: float | None) -> None:
        """Collect ``data``; first write the data collected before if it is enough.

        The last bytes of a request are therefore always written by `end`.
        """
        if len(self._unsent) >= _MIN_WRITE:
            await self._flush(timeout)
        self._unsent += data

    async def end(self, timeout: float | None) -> None:
        """Write the rest of the request."""
        await self._flush(timeout, is_last=True)

    async def _flush(self, timeout: float | None, *, is_last: bool = False) -> None:
        """Write the collected data; `httpx.ConnectError` means that nothing was sent so far."""
        if not self.delivery.maybe_sent and self._received:
            raise httpx.ConnectError("the server sent data before the request")
        if not self._is_open():
            failed = httpx.WriteError if self.delivery.maybe_sent else httpx.ConnectError
            raise failed(str(self._error or "the server closed the connection"))
        data, self._unsent = bytes(self._unsent), bytearray()
        self.delivery.maybe_sent = True
        self._transport.write(data)
        self._is_sending = not is_last
        if not self._may_write.is_set():
            with raised_as(httpx.WriteError, httpx.WriteTimeout):
                async with asyncio.timeout(timeout):
                    await self._may_write.wait()
                if self._error:
                    raise self._error

    async def read(self, timeout: float | None) -> bytes:
        """Wait for data and return it; empty bytes mean the end."""
        if not self._received:
            with raised_as(httpx.ReadError, httpx.ReadTimeout):
                async with asyncio.timeout(timeout):
                    await self._arrival()
                if not self._received and self._error:
                    raise self._error
        data, self._received = bytes(self._received), bytearray()
        if self._was_held_back and not self._ended:
            self._transport.resume_reading()
        return data

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Encrypt everything that follows."""
        if not self._is_open():  # uvloop would log a traceback, and Python 3.11 would not raise
            raise self._error or ConnectionError("the server closed the connection")
        loop = asyncio.get_running_loop()
        made = await loop.start_tls(self._transport, self, context, server_hostname=host)
        assert made is not None
        self._transports.append(made)

    def abort(self) -> None:
        """Close it immediately: an orderly close would wait for the server."""
        for transport in reversed(self._transports):
            with suppress(RuntimeError):  # the event loop is closed
                transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """Return the information that httpx's ``network_stream`` has under this name."""
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._transport.get_extra_info(names.get(info, info))

    @property
    def _transport(self) -> asyncio.Transport:
        return self._transports[-1]

    def _is_open(self) -> bool:
        return not self._ended and not self._transport.is_closing()

    async def _arrival(self) -> None:
        while not self._received and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


def _has_news(transport: asyncio.Transport) -> bool:
    connected = transport.get_extra_info("socket")
    if connected is None or connected.fileno() < 0:
        return True
    if not hasattr(select, "poll"):  # Windows, whose select() accepts any file descriptor
        return bool(select.select([connected.fileno()], [], [], 0)[0])
    poll = select.poll()
    poll.register(connected.fileno(), select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def raised_as(
    failed: type[httpx.TransportError], timed_out: type[httpx.TransportError]
) -> Iterator[None]:
    """Raise httpx's errors in place of those of asyncio and the operating system."""
    try:
        yield
    except TimeoutError as error:
        raise timed_out(str(error)) from error
    except (OSError, UnicodeError) as error:  # UnicodeError for an invalid host name
        raise failed(str(error)) from error
