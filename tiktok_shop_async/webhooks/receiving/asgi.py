"""A receiver as an ASGI application: what is HTTP about it."""

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

MOST_BYTES = 1024 * 1024
"""Of a delivery, unless told otherwise; the largest known ones are far below a tenth of it."""
SECONDS_TO_ANSWER = 2.5
"""The platform waits for three, and the answer has a way to go."""

Take = Callable[[bytes, bytes | None, float], Awaitable[HTTPStatus]]


class _DisconnectedError(Exception):
    """Nobody waits for an answer any more."""


async def serve_http(
    scope: Scope, receive: Receive, send: Send, take: Take, *, max_body: int
) -> None:
    """Answer one request; ``take`` gets body, signature, and the loop's time to be ready by."""
    try:
        status = await _status(scope, receive, take, max_body)
    except _DisconnectedError:
        return
    except Exception:  # nothing may get out of the application
        logger.exception("a delivery could not be taken")
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers = [(b"content-length", b"0")]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"POST"))
    try:
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
    except OSError:
        pass  # as servers say that nobody is there any more


async def serve_lifespan(receive: Receive, send: Send, lifetime: ClosedOnExit) -> None:
    """Begin and end with the server."""
    await receive()
    try:
        await lifetime.__aenter__()
    except Exception as error:
        logger.exception("the receiver could not be started")
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await lifetime.aclose()
    await send({"type": "lifespan.shutdown.complete"})


async def _status(scope: Scope, receive: Receive, take: Take, max_body: int) -> HTTPStatus:
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
    until = asyncio.get_running_loop().time() + SECONDS_TO_ANSWER
    try:
        async with asyncio.timeout_at(until):
            body = await _body(receive, max_body)
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT
    if body is None:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return await take(body, signature, until)


async def _body(receive: Receive, most: int) -> bytes | None:
    """Return the body; None as soon as it is too long."""
    parts, size, is_more = [], 0, True
    while is_more:
        message = await receive()
        if message["type"] != "http.request":
            raise _DisconnectedError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        is_more = message.get("more_body", False)
    return b"".join(parts)
