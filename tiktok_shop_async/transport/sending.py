"""The sending of one attempt, by an ``httpx.AsyncClient`` or directly by its transport."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from .._internal.httpx_internals import (
    direct_transport_chooser,
    list_transports,
    request_of,
    transport_chooser,
)
from ..errors import TikTokShopError
from .connection_stack import ConnectionStackTransport, is_httpcore_replaced
from .delivery import Delivery, delivery_of, trace_delivery
from .error_boundary import HTTPX_ERRORS

_PRESEND_CONNECT_ERRORS = (
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
    """Call ``before_sending``, sign and send ``request``; return a response that is not read yet.

    ``AsyncClient.send`` stores cookies, checks for redirects and logs URLs with their ciphers. It
    takes as long as all other stages together, so an ordinary client's transport is called
    directly. `_send_by_client` is for clients with event hooks, tracing or their own ``send``.
    """
    if before_sending is not None:
        before_sending()
    transport_of, delivery = direct_transport_chooser(http_client), delivery_of(request)
    if transport_of is None:
        return await _send_by_client(http_client, request, signing, delivery)
    signed = next(signing.auth_flow(request))
    transport = transport_of(signed.url)
    delivery.maybe_sent = True  # until a transport that supports `Delivery` clears it
    if _can_be_traced(transport):
        trace_delivery(signed)
    try:
        response = await transport.handle_async_request(signed)
    except AssertionError:  # mock transports raise it for a request that a test does not expect
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
    """Send ``request`` by the client's own ``send``, which runs event hooks and tracing.

    An error of a hook does not tell whether the request was sent, so it becomes a read error.
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
        if not delivery.maybe_sent or _is_send_error(error, request, is_traced=is_traced):
            raise
        reason = f"{type(error).__name__} was raised after the request may have been sent: {error}"
    raise httpx.ReadError(reason, request=request)


def _is_send_error(error: Exception, request: httpx.Request, *, is_traced: bool) -> bool:
    """Return whether an error was raised by sending ``request``, and not by a hook.

    httpx sets the request of its transports' errors. Other errors come from hooks, or from files
    that cannot be read.
    """
    if isinstance(error, TikTokShopError):
        return not is_traced or not isinstance(request.stream, httpx.ByteStream)
    return request_of(error) is request


def connect_errors_are_presend(http_client: httpx.AsyncClient) -> bool:
    """Return whether a connect error of this client always means that nothing was sent.

    Some transports raise a connect error if the connection is lost after sending; retrying a write
    then could make it happen twice. Unknown transports count as such.
    """
    senders = map(_sender_of, list_transports(http_client))
    return all(sender in _PRESEND_CONNECT_ERRORS for sender in senders)


def _can_be_traced(transport: object) -> bool:
    """Return whether this transport always reports when it starts to write a request."""
    return (
        isinstance(transport, httpx.AsyncHTTPTransport)
        and _sender_of(transport) is httpx.AsyncHTTPTransport
        and not is_httpcore_replaced()
    )


def _sender_of(transport: object) -> type | None:
    """Return the class that defines the sending method; an override may send more than once."""
    classes = type(transport).__mro__
    return next((each for each in classes if "handle_async_request" in vars(each)), None)
