"""The default transport: a stack of single connections in place of a pool.

httpcore's pool examines all of its connections for every request and every response, so each
connection slows it down. A stack examines only the connection that was used last. A connection that
died while idle is replaced before any byte of a request is written.

Connections through SOCKS proxies are httpx's own, each used for one request.
"""

from __future__ import annotations

import ssl
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from functools import cache
from typing import TYPE_CHECKING, Protocol
from urllib.request import getproxies

import httpx

from .._internal.threads import shared_in_thread
from .delivery import delivery_of, trace_delivery
from .environment import (
    ProxyConnectError,
    check_certificate_files,
    environment_proxies,
    is_about_certificates,
    new_ssl_context,
    parse_proxy,
)

if TYPE_CHECKING:
    from .connection import DirectConnection
    from .proxies import ProxyRules

KEEPALIVE_EXPIRY = 15.0
"""Seconds that an idle connection is kept: shorter than most servers keep theirs."""


class ConnectionStackTransport(httpx.AsyncBaseTransport):
    """A transport that uses the most recently used idle connection, or a new one.

    It does not limit the number of connections, because the client limits its calls in flight.
    """

    def __init__(
        self,
        *,
        proxy: str | httpx.Proxy | None = None,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        keepalive_expiry: float = KEEPALIVE_EXPIRY,
    ) -> None:
        self._proxy = parse_proxy(proxy)
        self._proxy_rules = _environment_rules() if trust_env and proxy is None else None
        self._verify = verify
        self._trust_env = trust_env
        self._keepalive_expiry = keepalive_expiry
        self._idle: defaultdict[tuple[str, str, int | None], _IdleConnections] = defaultdict(
            _IdleConnections
        )
        self._direct: type[DirectConnection] | None = None
        self._context: ssl.SSLContext | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``; closing the response releases its connection."""
        url = request.url
        idle = self._idle[url.scheme, url.host, url.port]
        is_replaced = is_httpcore_replaced()
        # The connection sets it right before the first byte; a replaced httpcore never does.
        delivery_of(request).maybe_sent = is_replaced
        while not is_replaced and (connection := await self._idle_connection(idle)):
            try:
                return await self._send(request, connection, idle)
            except httpx.ConnectError:
                # The connection died after the check, before any byte was written.
                if not isinstance(request.stream, httpx.ByteStream):
                    raise
        return await self._send(request, await self._new_connection(url, is_replaced), idle)

    async def _send(
        self, request: httpx.Request, connection: Connection, idle: _IdleConnections
    ) -> httpx.Response:
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream, connection, idle, self)
        return response

    async def _idle_connection(self, idle: _IdleConnections) -> Connection | None:
        while idle:
            connection, _ = idle.pop()
            if connection.is_usable():
                return connection
            await connection.aclose()
        return None

    async def _new_connection(self, url: httpx.URL, is_replaced: bool) -> Connection:
        if url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(
                f"the URL must begin with http:// or https://, not {url.scheme}://."
            )
        proxy = self._proxy_for(url)
        if is_replaced or (proxy is not None and proxy.url.scheme not in ("http", "https")):
            context = None if url.scheme == "http" else await self._ssl_context()
            return _SingleUseConnection(proxy, context)
        # Imported in a thread, so that the import does not block the event loop.
        if self._direct is None:
            self._direct = await shared_in_thread(_import_direct_connection)
        return self._direct(url, self._ssl_context, self._keepalive_expiry, proxy)

    async def _ssl_context(self) -> ssl.SSLContext:
        if self._context is None:  # reading certificates must not block the event loop
            self._context = await shared_in_thread(
                shared_ssl_context, self._verify, self._trust_env
            )
        return self._context

    def _proxy_for(self, url: httpx.URL) -> httpx.Proxy | None:
        if self._proxy is not None or self._proxy_rules is None:
            return self._proxy
        return self._proxy_rules.proxy_for(url)

    async def release(self, connection: Connection, idle: _IdleConnections) -> None:
        """Keep a connection for later requests; close the oldest idle one if it has expired."""
        if self._closed or connection.is_closed():
            await connection.aclose()
            return
        now = time.monotonic()
        idle.append((connection, now))
        oldest, idle_since = idle[0]
        if now - idle_since > self._keepalive_expiry:
            idle.popleft()
            await oldest.aclose()

    async def aclose(self) -> None:
        """Close the idle connections, and each busy one when its response is closed."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                await idle.pop()[0].aclose()


def new_transport(
    base_url: str,
    *,
    proxy: str | httpx.Proxy | None,
    verify: ssl.SSLContext | bool,
    trust_env: bool,
) -> ConnectionStackTransport:
    """Return the default transport; reject unusable certificates before anything connects."""
    if base_url.startswith("https:"):
        check_certificate_files(verify, trust_env)
    return ConnectionStackTransport(proxy=proxy, verify=verify, trust_env=trust_env)


class Connection(Protocol):
    """A connection, which connects when it is first used."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``."""
        ...

    def is_usable(self) -> bool:
        """Return whether it can take another request, as far as this side can tell."""
        ...

    def is_closed(self) -> bool:
        """Return whether it is closed, for example because a response was not read completely."""
        ...

    async def aclose(self) -> None:
        """Close it; closing it again has no effect."""
        ...


class _IdleConnections(deque[tuple[Connection, float]]):
    """The idle connections of one origin, each with the time since when; the last is used first."""


def _import_direct_connection() -> type[DirectConnection]:
    from .connection import DirectConnection

    return DirectConnection


def is_httpcore_replaced() -> bool:
    """Return whether httpcore's connections are replaced, as respx does in tests.

    Requests must then go through httpcore, so that the replacement gets them.
    """
    httpcore = sys.modules.get("httpcore")
    if httpcore is None:
        return False
    method = httpcore.AsyncHTTPConnection.handle_async_request
    return not str(method.__module__).startswith("httpcore.")


class _SingleUseConnection(httpx.AsyncHTTPTransport):
    """A connection of httpx, for SOCKS proxies and for mocks of httpcore.

    It is not reused, because httpx does not check for bytes that follow a response.
    """

    def __init__(self, proxy: httpx.Proxy | None, context: ssl.SSLContext | None) -> None:
        self._proxy_url = None if proxy is None else proxy.url
        super().__init__(
            verify=context or _unused_ssl_context(),
            proxy=proxy,
            trust_env=False,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``."""
        if not is_httpcore_replaced():
            request = trace_delivery(request)
        try:
            return await super().handle_async_request(request)
        except httpx.ConnectError as error:
            if self._proxy_url is None or is_about_certificates(error):
                raise
            raise ProxyConnectError.of(self._proxy_url, error) from error

    def is_usable(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return True


class _Body(httpx.AsyncByteStream):
    """The body of a response; closing it releases the connection."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        connection: Connection,
        idle: _IdleConnections,
        transport: ConnectionStackTransport,
    ) -> None:
        self._stream = stream
        self._connection: Connection | None = connection
        self._idle = idle
        self._transport = transport

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._stream.aclose()
        except BaseException:
            await connection.aclose()
            raise
        await self._transport.release(connection, self._idle)


def _environment_rules() -> ProxyRules | None:
    proxies = environment_proxies()
    if not proxies:
        return None
    from .proxies import ProxyRules

    return ProxyRules(proxies, getproxies().get("no", ""))


_ssl_contexts_lock = threading.Lock()


def shared_ssl_context(verify: ssl.SSLContext | bool, trust_env: bool) -> ssl.SSLContext:
    """Return the SSL context that the process shares for these settings."""
    if isinstance(verify, ssl.SSLContext):
        return verify
    with _ssl_contexts_lock:
        return _new_ssl_context(verify, trust_env)


@cache
def _new_ssl_context(verify: bool, trust_env: bool) -> ssl.SSLContext:
    return new_ssl_context(verify, trust_env)


@cache
def _unused_ssl_context() -> ssl.SSLContext:
    """Return a context without certificates, which httpx requires even for plain HTTP."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
