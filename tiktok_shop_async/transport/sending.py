"""The sending of one attempt by an ``httpx.AsyncClient`` or straight by its transport."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from .._internal.httpx_internals import (
    TransportFor,
    direct_transport_chooser,
    list_transports,
    transport_chooser,
)
from ..errors import (
    TikTokShopError,
)
from .connection_stack import ConnectionStackTransport, is_httpcore_replaced
from .delivery import Delivery, delivery_of, trace_delivery
from .error_boundary import HTTPX_ERRORS

_REPORT_FAITHFULLY = (
    ConnectionStackTransport,
    httpx.AsyncHTTPTransport,
    httpx.ASGITransport,
    httpx.MockTransport,
)
"""Transports whose connect errors mean that nothing was sent."""


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
        trace_delivery(signed)
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
    transport_of = transport_chooser(http_client)
    transport = transport_of(request.url) if transport_of is not None else None
    is_traced = _can_be_traced(transport)
    if is_traced:
        trace_delivery(request)
    try:
        return await http_client.send(request, auth=signing, stream=True, follow_redirects=False)
    except (*HTTPX_ERRORS, TikTokShopError) as error:
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


def _direct_way(http_client: httpx.AsyncClient) -> TransportFor | None:
    """Return what chooses the client's transport; None if its ``send`` does more than httpx's."""
    if any(http_client.event_hooks.values()):
        return None
    return direct_transport_chooser(http_client)


def connect_errors_are_presend(http_client: httpx.AsyncClient) -> bool:
    """Whether a connect error of this client surely means that nothing was sent.

    Some transports turn a connection that was lost after sending into a connect error; a write
    repeated on that happens twice. Those we do not know count as such.
    """
    senders = map(_sender_of, list_transports(http_client))
    return all(sender in _REPORT_FAITHFULLY for sender in senders)


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
