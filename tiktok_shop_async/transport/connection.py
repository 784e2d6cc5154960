"""One HTTP/1.1 connection that is reused only if it is provably clean.

A response does not say which request it belongs to: HTTP/1.1 relies on their order. One extra byte
on a connection would shift all responses that follow. Therefore:

- A request is written completely before its response is read, and each request has its own parser,
  so earlier bytes cannot become its response.
- Bytes that arrive before the first byte of a request is written close the connection, and nothing
  is sent.
- A connection is kept only if the response ended with the last byte received, both sides keep it
  alive, and the whole request has been sent.
- Bytes that follow a response on a reused connection make it uncertain which request the response
  belongs to: it may be a late copy of an earlier one. Then the response is rejected.

One case cannot be detected: a late copy that arrives alone, after the next request was written,
looks like the response to that request.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import h11
import httpx

from .delivery import Delivery, delivery_of
from .environment import ProxyConnectError, is_about_certificates
from .network import Stream, open_stream, raised_as

_logger = logging.getLogger(__name__)

_MAX_HEAD = 100 * 1024
"""Maximum bytes of a response's head, or of one line of its chunks."""
_CLEAN = (b"", False)


class DirectConnection:
    """A connection to a server, direct or through an HTTP proxy."""

    def __init__(
        self,
        url: httpx.URL,
        context: Callable[[], Awaitable[ssl.SSLContext]],
        keepalive_expiry: float,
        proxy: httpx.Proxy | None = None,
    ) -> None:
        self._url = url
        self._context = context
        self._keepalive_expiry = keepalive_expiry
        self._proxy = proxy
        self._forwards = proxy is not None and url.scheme == "http"
        self._stream: Stream | None = None
        self._responses = 0
        self._idle_until = 0.0
        self._is_idle = self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``, after connecting if there is no connection yet."""
        timeouts = request.extensions.get("timeout", {})
        self._is_idle = False
        try:
            if self._stream is None:
                self._stream = await self._connected(timeouts.get("connect"))
            exchange = _Exchange(self._stream, timeouts, delivery_of(request))
            response = await exchange.response_to(request, *self._target_of(request))
            if (exchange.is_early or response.status_code == 408) and self._is_doubtful(response):
                raise httpx.RemoteProtocolError(
                    f"HTTP {response.status_code} was received before the request was sent "
                    "completely, or for an idle connection: it may not belong to this request"
                )
        except BaseException:
            self.close()
            raise
        return httpx.Response(
            response.status_code,
            headers=response.headers.raw_items(),
            stream=_Body(exchange, self),
            extensions={
                "http_version": b"HTTP/" + bytes(response.http_version),
                "reason_phrase": bytes(response.reason),
                "network_stream": self._stream,
            },
        )

    def _is_doubtful(self, response: h11.Response) -> bool:
        # The first response on a connection can only be an error about the bytes sent so far.
        return self._responses > 0 or response.status_code < 400

    def finish(self, exchange: _Exchange) -> None:
        """Keep the connection if ``exchange`` left it clean; otherwise close it."""
        self._responses += 1
        if exchange.is_clean():
            self._is_idle = True
            self._idle_until = time.monotonic() + self._keepalive_expiry
        else:
            self.close()

    @property
    def is_reused(self) -> bool:
        """Whether an earlier response was received on it."""
        return self._responses > 0

    def is_usable(self) -> bool:
        """Return whether it is idle and, as far as this side can tell, open and clean."""
        return (
            self._is_idle
            and self._stream is not None
            and time.monotonic() <= self._idle_until
            and self._stream.is_quiet()
        )

    def is_closed(self) -> bool:
        """Return whether it is closed, for example because a response was not read completely."""
        return self._is_closed

    def close(self) -> None:
        """Close it; closing it again has no effect."""
        self._is_closed = True
        self._is_idle = False
        if self._stream is not None:
            self._stream.abort()

    async def aclose(self) -> None:
        """Close it; closing it again has no effect."""
        self.close()

    # Connecting ----------------------------------------------------------------------------------

    async def _connected(self, timeout: float | None) -> Stream:  # noqa: ASYNC109
        with raised_as(httpx.ConnectError, httpx.ConnectTimeout):
            async with asyncio.timeout(timeout):
                context = await self._context() if self._is_encrypted() else None
                stream = await self._nearest()
                try:
                    await self._set_up(stream, context)
                except BaseException:
                    stream.abort()
                    raise
        return stream

    async def _nearest(self) -> Stream:
        """Connect to the server, or to its proxy if there is one."""
        url = self._url if self._proxy is None else self._proxy.url
        try:
            stream = await open_stream(url.raw_host.decode(), _port(url))
        except (OSError, UnicodeError) as error:
            if self._proxy is None:
                raise
            raise ProxyConnectError.of(url, error) from error
        _logger.debug("connected to %s port %s", url.host, _port(url))
        return stream

    def _is_encrypted(self) -> bool:
        return "https" in (self._url.scheme, self._proxy and self._proxy.url.scheme)

    async def _set_up(self, stream: Stream, context: ssl.SSLContext | None) -> None:
        proxy = self._proxy
        if proxy is not None and proxy.url.scheme == "https":
            try:
                await _encrypt(stream, proxy.url, proxy.ssl_context or context)
            except OSError as error:
                if is_about_certificates(error):
                    raise
                raise ProxyConnectError.of(proxy.url, error) from error
        if proxy is not None and not self._forwards:
            await _open_tunnel(stream, self._url, proxy)
        if self._url.scheme == "https":
            await _encrypt(stream, self._url, context)
        await stream.settle()

    def _target_of(self, request: httpx.Request) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """Return the target of the request line and the headers."""
        target, headers = request.url.raw_path, request.headers.raw
        if not self._forwards or self._proxy is None:
            return target, headers
        origin = request.url.copy_with(userinfo=b"", path="/", query=None, fragment=None)
        names = {name.lower() for name, _ in headers}
        extra = [each for each in _proxy_headers(self._proxy) if each[0].lower() not in names]
        return str(origin).encode().rstrip(b"/") + target, [*extra, *headers]


class _Exchange:
    """One request and its response on a stream."""

    def __init__(self, stream: Stream, timeouts: dict[str, Any], delivery: Delivery) -> None:
        stream.begin(delivery)
        self._stream = stream
        self._read_timeout: float | None = timeouts.get("read")
        self._write_timeout: float | None = timeouts.get("write")
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        self.is_early = False
        """Whether the response started before the request was sent completely."""

    async def response_to(
        self, request: httpx.Request, target: bytes, headers: list[tuple[bytes, bytes]]
    ) -> h11.Response:
        """Send ``request`` and return the head of its response."""
        stream = self._stream
        try:
            await self._send(request, target, headers)
        except httpx.WriteError:  # the server may have rejected it early with a response
            self.is_early = True
        while True:
            event = await self.next_event()
            if type(event) is h11.Response:
                self.is_early |= stream.answered_early
                return event
            if type(event) is not h11.InformationalResponse:
                raise httpx.RemoteProtocolError("the server sent no response")
            if not self.excess():
                stream.answered_early = False  # only the final response counts

    async def _send(
        self, request: httpx.Request, target: bytes, headers: list[tuple[bytes, bytes]]
    ) -> None:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        method = request.method.encode()
        try:
            await self._write(h11.Request(method=method, target=target, headers=headers))
            async for part in request.stream:
                await self._write(h11.Data(data=part))
            await self._write(h11.EndOfMessage())
        except h11.LocalProtocolError as error:
            # Neither the error nor its text is passed on: both may contain the token.
            reason = _WRONG_LENGTH if "Content-Length" in str(error) else _ILLEGAL
            error.__traceback__ = None
        else:
            await self._stream.end(self._write_timeout)
            return
        if self._stream.delivery.maybe_sent:
            raise httpx.StreamError(reason)
        raise httpx.LocalProtocolError(reason)

    async def _write(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        await self._stream.write(self._parser.send(event), self._write_timeout)

    async def next_event(self) -> Any:
        """Return h11's next event of the response."""
        parser = self._parser
        try:
            while (event := parser.next_event()) is h11.NEED_DATA:
                data = await self._stream.read(self._read_timeout)
                if not data and parser.their_state is h11.SEND_RESPONSE:
                    raise httpx.RemoteProtocolError("the server disconnected without a response")
                parser.receive_data(data)
        except h11.RemoteProtocolError as error:
            error.__traceback__ = None  # h11's frames refer to the error
            raise httpx.RemoteProtocolError(str(error)) from None
        return event

    def is_clean(self) -> bool:
        """Return whether the stream can carry another request: no byte is left over."""
        parser = self._parser
        return (
            parser.our_state is h11.DONE
            and parser.their_state is h11.DONE
            and parser.trailing_data == _CLEAN
            and not self.is_early
            and self._stream.is_spent()
        )

    def excess(self) -> bytes:
        """Return the bytes received after the response."""
        return self._parser.trailing_data[0] + self._stream.unread()


class _Body(httpx.AsyncByteStream):
    """The body of a response; closing it releases the connection."""

    def __init__(self, exchange: _Exchange, connection: DirectConnection) -> None:
        self._exchange = exchange
        self._connection: DirectConnection | None = connection
        self._is_reused = connection.is_reused

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while type(event := await self._exchange.next_event()) is h11.Data:
                yield bytes(event.data)
            excess = self._exchange.excess()
            if excess:
                _logger.debug("%d bytes follow a response; its connection is closed", len(excess))
            if self._is_reused and excess.strip(b"\r\n"):
                raise httpx.RemoteProtocolError(
                    "bytes followed the response, which may belong to an earlier request"
                )
        except BaseException:
            if self._connection is not None:
                self._connection.close()
            raise

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finish(self._exchange)


async def _encrypt(stream: Stream, url: httpx.URL, context: ssl.SSLContext | None) -> None:
    assert context is not None, "it is created before connecting"
    context.set_alpn_protocols(["http/1.1"])
    await stream.start_tls(context, url.raw_host.decode())


async def _open_tunnel(stream: Stream, url: httpx.URL, proxy: httpx.Proxy) -> None:
    """Make the proxy connect to ``url``."""
    host = f"[{url.host}]" if ":" in url.host else url.raw_host.decode()
    target = f"{host}:{_port(url)}".encode()
    headers = [(b"host", target), (b"accept", b"*/*"), *_proxy_headers(proxy)]
    exchange = _Exchange(stream, {}, Delivery())  # limited by the connect timeout
    request = httpx.Request("CONNECT", proxy.url)
    response = await exchange.response_to(request, target, headers)
    if not 200 <= response.status_code < 300:
        reason = bytes(response.reason).decode("ascii", "replace")
        raise httpx.ProxyError(f"{response.status_code} {reason}")
    if exchange.excess():
        raise httpx.ProxyError("bytes followed the response to CONNECT")


def _proxy_headers(proxy: httpx.Proxy) -> list[tuple[bytes, bytes]]:
    headers = list(proxy.headers.raw)
    if proxy.raw_auth is not None:
        from base64 import b64encode

        headers.insert(
            0, (b"Proxy-Authorization", b"Basic " + b64encode(b":".join(proxy.raw_auth)))
        )
    return headers


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


_WRONG_LENGTH = "the body's length differs from its Content-Length"
_ILLEGAL = "the method, target or a header has characters that HTTP does not allow"
