"""The sandbox as an ASGI application: from a request's bytes to an envelope."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from .demo import demo_market
from .gateway import Gateway, Received
from .market import Market
from .plays import play
from .refusals import INTERNAL_ERROR, TOO_LARGE, Refusal
from .routes import Route, find_route

MEGABYTE = 1024 * 1024
LARGEST_BODY = {None: MEGABYTE, "json": 4 * MEGABYTE, "multipart": 110 * MEGABYTE}
"""Kind of body -> the most bytes of one; our choice, but room for the largest video."""


def create_app(
    *,
    market: Market | None = None,
    orders: int = 300,
    seed: int = 1,
    clock: Callable[[], float] = time.time,
    latency: float | Callable[[], float] = 0.0,
) -> Starlette:
    """Return a shop on its own, with its state in memory and the demo's credentials.

    Args:
        market: Apps, tokens and shops in place of the demo's; ``orders`` and ``seed`` are then
            its own affair.
        clock: Unix seconds; decides about timestamps, expiry and pending cancellations.
        latency: Seconds to hold every answer back, or a function that returns them. A call has
            taken effect by then, as one has whose answer is lost on the way.
    """
    market = market or demo_market(orders=orders, seed=seed, clock=clock)
    shopfront = Shopfront(market, clock, latency)
    app = Starlette(exception_handlers={Exception: shopfront.internal_error})
    app.router.default = shopfront
    app.state.market = market
    return app


class Shopfront:
    """Receives each request, has it admitted and played, and answers with an envelope."""

    def __init__(
        self, market: Market, clock: Callable[[], float], latency: float | Callable[[], float]
    ) -> None:
        self._market = market
        self._gateway = Gateway(market, clock)
        self._clock = clock
        self._latency = latency
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(scope, receive)
        if response is None:
            return
        delay = self._latency() if callable(self._latency) else self._latency
        if delay > 0:
            await asyncio.sleep(delay)
        await response(scope, receive, send)

    async def internal_error(self, request: Request, error: Exception) -> Response:
        """Answer for a fault of the sandbox itself; the server logs it."""
        return self._envelope(
            INTERNAL_ERROR, "Internal error.", None, HTTPStatus.INTERNAL_SERVER_ERROR
        )

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """Return the answer; None when the client is gone before its request was complete."""
        try:
            path = _path(scope)
            route = find_route(scope["method"], path)
            headers = _headers(scope)
            body = await _read(receive, headers, route)
            if body is None:
                return None
            pairs = parse_qsl(
                scope["query_string"].decode("utf-8", "surrogateescape"),
                keep_blank_values=True,
                errors="surrogateescape",
            )
            call = self._gateway.admit(Received(path, pairs, headers, body), route)
            return self._envelope(0, "Success", play(call, self._market), HTTPStatus.OK)
        except Refusal as refusal:
            return self._envelope(refusal.code, refusal.message, None, refusal.http_status)

    def _envelope(
        self, code: int, message: str, data: dict[str, Any] | None, http_status: int
    ) -> Response:
        request_id = f"{int(self._clock())}{next(self._numbers):010X}"
        envelope = {"code": code, "message": message, "request_id": request_id, "data": data}
        return Response(
            json.dumps(envelope, separators=(",", ":")),
            status_code=http_status,
            headers={"x-tts-logid": request_id},
            media_type="application/json",
        )


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _read(receive: Receive, headers: Mapping[str, str], route: Route) -> bytes | None:
    largest = LARGEST_BODY[route.operation.body]
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > largest:
        raise _too_large(largest)
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > largest:
            raise _too_large(largest)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(largest: int) -> Refusal:
    return Refusal(
        TOO_LARGE,
        f"The body is larger than {largest // MEGABYTE} MB.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
