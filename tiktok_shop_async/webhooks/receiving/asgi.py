"""The HTTP part of a receiver, as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from ..._internal.closing import ClosedOnExit

logger = logging.getLogger("tiktok_shop_async.webhooks")

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY = 1024 * 1024
"""Bytes of a delivery by default; known deliveries have less than a tenth of it."""
RESPONSE_TIMEOUT = 2.5
"""Seconds for a response; the platform waits for three, network included."""

Accept = Callable[[bytes, bytes | None, float], Awaitable[HTTPStatus]]


class _DisconnectedError(Exception):
    """The client disconnected."""


async def serve_http(
    scope: Scope, receive: Receive, send: Send, accept: Accept, *, max_body: int
) -> None:
    """Respond to one request.

    Args:
        accept: Called with the body, the signature, and the event loop's time of the deadline.
    """
    try:
        status = await _status(scope, receive, accept, max_body)
    except _DisconnectedError:
        return
    except Exception:  # no exception may leave the application
        logger.exception("receiving a delivery failed")
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers = [(b"content-length", b"0")]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"POST"))
    try:
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
    except OSError:
        pass  # the client disconnected


async def serve_lifespan(receive: Receive, send: Send, lifetime: ClosedOnExit) -> None:
    """Start the receiver with the server, and close it at the server's shutdown."""
    await receive()
    try:
        await lifetime.__aenter__()
    except Exception as error:
        logger.exception("starting the receiver failed")
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await lifetime.aclose()
    await send({"type": "lifespan.shutdown.complete"})


async def _status(scope: Scope, receive: Receive, accept: Accept, max_body: int) -> HTTPStatus:
    if scope["method"] != "POST":
        return HTTPStatus.METHOD_NOT_ALLOWED
    signature, length = None, None
    for name, value in scope["headers"]:
        if name == b"authorization":
            signature = value
        elif name == b"content-length":
            length = value
    if length is not None and length.isdigit() and int(length[:20]) > max_body:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    deadline = asyncio.get_running_loop().time() + RESPONSE_TIMEOUT
    try:
        async with asyncio.timeout_at(deadline):
            body = await _body(receive, max_body)
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT
    if body is None:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return await accept(body, signature, deadline)


async def _body(receive: Receive, max_body: int) -> bytes | None:
    """Return the body; None as soon as it is too large."""
    parts, size, is_more = [], 0, True
    while is_more:
        message = await receive()
        if message["type"] != "http.request":
            raise _DisconnectedError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > max_body:
            return None
        is_more = message.get("more_body", False)
    return b"".join(parts)
