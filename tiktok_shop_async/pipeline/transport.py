"""One attempt on the shared ``httpx.AsyncClient``; httpx's errors become ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from ..errors import (
    ConnectError,
    InvalidArgumentError,
    RequestTimeoutError,
    ResponseDecodeError,
    TikTokShopError,
    TransportError,
)
from ..redaction import redact
from .connections import ConnectionStackTransport
from .delivery import Delivery, delivery_of, traced
from .signing import SigningAuth

_REPORT_FAITHFULLY = (
    ConnectionStackTransport,
    httpx.AsyncHTTPTransport,
    httpx.ASGITransport,
    httpx.MockTransport,
)
"""Transports whose connect errors mean that nothing was sent."""

TransportOf = Callable[[httpx.URL], httpx.AsyncBaseTransport]


async def send(
    http_client: httpx.AsyncClient,
    request: httpx.Request,
    signing: SigningAuth,
    before_sending: Callable[[], None] | None = None,
) -> httpx.Response:
    """Call ``before_sending``, then sign and send ``request``; the response's body is not read yet.

    ``AsyncClient.send`` keeps cookies, looks for redirects and logs URLs with their ciphers. None
    of that is wanted here, and it takes as long as all the rest, so the request goes straight to
    the client's transport where the client is an ordinary one.
    """
    if before_sending is not None:
        before_sending()
    transport_of, delivery = _direct_way(http_client), delivery_of(request)
    if transport_of is None:
        delivery.maybe_sent = True
        return await http_client.send(request, auth=signing, stream=True, follow_redirects=False)
    signed = next(signing.auth_flow(request))
    transport = transport_of(signed.url)
    delivery.maybe_sent = True  # unless the transport knows better
    if isinstance(transport, httpx.AsyncHTTPTransport):
        traced(signed)
    response = await transport.handle_async_request(signed)
    response.request = signed
    return response


def _direct_way(http_client: httpx.AsyncClient) -> TransportOf | None:
    """Return what chooses the client's transport; None if its ``send`` does more than httpx's."""
    if any(http_client.event_hooks.values()) or not _is_ordinary(http_client.send):
        return None
    transport_of: TransportOf | None = getattr(http_client, "_transport_for_url", None)
    return transport_of


def _is_ordinary(method: Any) -> bool:
    """Whether ``method`` is httpx's own: not overridden, and not wrapped for tracing."""
    return method.__module__ == "httpx._client" and not hasattr(method, "__wrapped__")


def reports_faithfully(http_client: httpx.AsyncClient) -> bool:
    """Whether a connect error of this client surely means that nothing was sent.

    Some transports turn a connection that was lost after sending into a connect error; a write
    repeated on that happens twice. Those we do not know count as such.
    """
    transports = [getattr(http_client, "_transport", None)]
    transports += [mounted for mounted in getattr(http_client, "_mounts", {}).values() if mounted]
    return all(isinstance(transport, _REPORT_FAITHFULLY) for transport in transports)


@contextmanager
def translated_errors(
    operation: str,
    *,
    faithful: bool,
    secrets: Iterable[str] = (),
    delivery: Delivery | None = None,
) -> Iterator[None]:
    """Raise our errors for httpx's, whose texts may have ``secrets``.

    Without a ``delivery``, the request may have been sent.
    """
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
        maybe_sent = delivery is None or delivery.maybe_sent
        raise _translated(error, operation, faithful, secrets, maybe_sent) from error


def _translated(
    error: Exception, operation: str, faithful: bool, secrets: Iterable[str], maybe_sent: bool
) -> TikTokShopError:
    reason = redact(str(error), secrets) or type(error).__name__
    facts: dict[str, Any] = {"operation": operation, "maybe_sent": maybe_sent}
    unsent: dict[str, Any] = {"operation": operation, "maybe_sent": maybe_sent and not faithful}
    match error:
        case httpx.PoolTimeout():
            return RequestTimeoutError(
                "no connection of the pool became free in time.",
                hint="Lower max_in_flight to the size of the client's pool, or enlarge the pool.",
                **unsent,
            )
        case httpx.ConnectTimeout():
            return RequestTimeoutError("no connection could be made in time.", **unsent)
        case httpx.TimeoutException():
            return RequestTimeoutError("no answer came in time.", **facts)
        case httpx.ConnectError():
            return ConnectError(f"no connection could be made: {reason}.", **unsent)
        case httpx.ProxyError():
            return ConnectError(f"the proxy made no connection: {reason}.", **unsent)
        case httpx.DecodingError():
            return ResponseDecodeError(
                f"the answer's content encoding is broken: {reason}.", operation=operation
            )
        case httpx.LocalProtocolError() if maybe_sent:  # as HTTP/2 raises for what it receives
            return TransportError(f"the connection broke: {reason}.", **facts)
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError() | httpx.InvalidURL():
            return InvalidArgumentError(
                f"the request is not valid HTTP: {reason}.", operation=operation
            )
        case _:
            return TransportError(f"the connection broke: {reason}.", **facts)
