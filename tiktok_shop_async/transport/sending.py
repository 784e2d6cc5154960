"""One attempt on the shared ``httpx.AsyncClient``; httpx's errors become ours."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import httpx

from .._internal.error_causes import bare_cause, without_request_frames
from .._internal.redaction import redact
from ..errors import (
    ConnectError,
    InvalidArgumentError,
    RequestTimeoutError,
    ResponseDecodeError,
    TikTokShopError,
    TransportError,
)
from .connection_stack import ConnectionStackTransport, is_httpcore_replaced
from .delivery import Delivery, delivery_of, traced
from .environment import ProxyConnectError, is_about_certificates

_REPORT_FAITHFULLY = (
    ConnectionStackTransport,
    httpx.AsyncHTTPTransport,
    httpx.ASGITransport,
    httpx.MockTransport,
)
"""Transports whose connect errors mean that nothing was sent."""

_HTTPX_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)
_PROTOCOL_ERRORS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)

_PROXY_HINT = (
    "It comes from proxy= or from the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY); "
    "trust_env=False ignores the latter, NO_PROXY excepts hosts."
)
_CERTIFICATE_HINT = (
    "The server's certificate is not trusted here. Behind a proxy that inspects TLS, or with a "
    "certificate authority of your own, pass verify=ssl.create_default_context(cafile=…) or set "
    "SSL_CERT_FILE."
)

TransportOf = Callable[[httpx.URL], httpx.AsyncBaseTransport]


async def send(
    http_client: httpx.AsyncClient,
    request: httpx.Request,
    signing: httpx.Auth,
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
        return await _send_by_client(http_client, request, signing, delivery)
    signed = next(signing.auth_flow(request))
    transport = transport_of(signed.url)
    delivery.maybe_sent = True  # unless the transport knows better
    if _can_be_traced(transport):
        traced(signed)
    try:
        response = await transport.handle_async_request(signed)
    except AssertionError:  # how a mock of a transport rejects what a test did not expect
        delivery.maybe_sent = False
        raise
    response.request = signed
    return response


async def _send_by_client(
    http_client: httpx.AsyncClient,
    request: httpx.Request,
    signing: httpx.Auth,
    delivery: Delivery,
) -> httpx.Response:
    """Send ``request`` with the client's method, for what that does besides: event hooks, tracing.

    An error of a hook says nothing about the request, which may have been processed by then.
    """
    delivery.maybe_sent = True
    transport_of = getattr(http_client, "_transport_for_url", None)
    transport = transport_of(request.url) if transport_of is not None else None
    is_traced = _can_be_traced(transport)
    if is_traced:
        traced(request)
    try:
        return await http_client.send(request, auth=signing, stream=True, follow_redirects=False)
    except (*_HTTPX_ERRORS, TikTokShopError) as error:
        if not delivery.maybe_sent or _is_about(error, request, is_traced=is_traced):
            raise
        reason = f"{type(error).__name__} came after the request may have been sent: {error}"
    raise httpx.ReadError(reason, request=request)


def _is_about(error: Exception, request: httpx.Request, *, is_traced: bool) -> bool:
    """Whether an error is one of sending ``request``, and not one of a hook.

    httpx puts the request into the errors of its transports; only hooks raise others, and files
    that cannot be read.
    """
    if isinstance(error, TikTokShopError):
        return not is_traced or not isinstance(request.stream, httpx.ByteStream)
    return getattr(error, "_request", None) is request


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
    return all(_sender_of(transport) in _REPORT_FAITHFULLY for transport in transports)


def _can_be_traced(transport: object) -> bool:
    """Whether this transport will surely say when it begins to write a request."""
    return (
        isinstance(transport, httpx.AsyncHTTPTransport)
        and _sender_of(transport) is httpx.AsyncHTTPTransport
        and not is_httpcore_replaced()
    )


def _sender_of(transport: object) -> type | None:
    """Return the class whose method sends: a subclass that overrides it may send more than once."""
    classes = type(transport).__mro__
    return next((each for each in classes if "handle_async_request" in vars(each)), None)


class ErrorBoundary:
    """Context manager around the stages of an attempt, which raises our errors for httpx's.

    No error takes out what the stages hold. Tracebacks can show the local variables of each frame,
    and the frames in here, httpx's and httpcore's have headers, URLs and signatures in theirs.
    """

    __slots__ = ("_delivery", "_faithful", "_operation", "_secrets")

    def __init__(
        self,
        operation: str,
        *,
        faithful: bool,
        secrets: Iterable[str] = (),
        delivery: Delivery | None = None,
    ) -> None:
        """Make it for one attempt; without a ``delivery``, the request may have been sent."""
        self._operation = operation
        self._faithful = faithful
        self._secrets = secrets
        self._delivery = delivery

    def __enter__(self) -> None:
        """Do nothing before the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise our error for one of httpx, whose text, request and frames have secrets."""
        del traceback
        if error is None:
            return
        if isinstance(error, (TikTokShopError, CancelledError)):
            error.__traceback__ = None
            if error.__suppress_context__ or isinstance(error, CancelledError):
                error.__context__ = None
            return
        if not isinstance(error, _HTTPX_ERRORS):
            without_request_frames(error)
            return
        secrets = tuple(self._secrets)
        maybe_sent = self._delivery is None or self._delivery.maybe_sent
        ours = _translated(error, self._operation, self._faithful, secrets, maybe_sent)
        # What could not be sent is quoted by the error that says so.
        cause = None if isinstance(error, _PROTOCOL_ERRORS) else bare_cause(error, secrets)
        del error, secrets
        try:
            raise ours from cause
        finally:
            ours.__context__ = None  # Python sets it, to the error with all of its frames
            del ours, cause  # or the error would hold this frame, and this frame the error


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
            return RequestTimeoutError("no response arrived in time.", **facts)
        case ProxyConnectError():
            return ConnectError(f"{reason}.", hint=_PROXY_HINT, **unsent)
        case httpx.ConnectError():
            hint = _CERTIFICATE_HINT if is_about_certificates(error) else None
            return ConnectError(f"no connection could be made: {reason}.", hint=hint, **unsent)
        case httpx.ProxyError():
            hint = f"Check the proxy's user and password. {_PROXY_HINT}"
            return ConnectError(f"the proxy made no connection: {reason}.", hint=hint, **unsent)
        case httpx.DecodingError():
            return ResponseDecodeError(
                f"the response's content encoding is broken: {reason}.", operation=operation
            )
        case httpx.LocalProtocolError() if maybe_sent:  # as HTTP/2 raises for what it receives
            return TransportError(f"the connection broke: {reason}.", **facts)
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError() | httpx.InvalidURL():
            return InvalidArgumentError(
                f"the request is not valid HTTP: {reason}.", operation=operation
            )
        case _:
            return TransportError(f"the connection broke: {reason}.", **facts)
