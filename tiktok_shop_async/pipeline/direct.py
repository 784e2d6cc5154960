"""One connection to the server itself: httpcore's, without its pool."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpcore
import httpx

from .delivery import delivery_of
from .network import AsyncioBackend


class DirectConnection:
    """A connection to the server itself."""

    def __init__(
        self, url: httpx.URL, context: ssl.SSLContext | None, keepalive_expiry: float
    ) -> None:
        self._backend = AsyncioBackend()
        self._connection = httpcore.AsyncHTTPConnection(
            _core_url(url).origin,
            ssl_context=context,
            keepalive_expiry=keepalive_expiry,
            network_backend=self._backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``, connecting first if that is still to do."""
        self._backend.delivery = delivery_of(request)
        with _as_httpx_errors():
            response = await self._connection.handle_async_request(
                httpcore.Request(
                    request.method,
                    _core_url(request.url),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_CoreBody(response),
            extensions=response.extensions,
        )

    def is_usable(self) -> bool:
        """Whether it is free and, as far as can be seen from here, alive."""
        return self._connection.is_idle() and not self._connection.has_expired()

    def is_closed(self) -> bool:
        """Whether it was closed, as it is when an answer was not read to its end."""
        return self._connection.is_closed()

    async def aclose(self) -> None:
        """Close it; closing twice does no harm."""
        await self._connection.aclose()


class _CoreBody(httpx.AsyncByteStream):
    """The body of an answer of httpcore's."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        with _as_httpx_errors():
            await self._response.aclose()


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    """Raise httpx's error for httpcore's of the same name."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise kind(str(error)) from error
