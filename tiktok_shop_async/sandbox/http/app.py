"""The sandbox as an ASGI application: from a request's bytes to an envelope."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount
from starlette.routing import Route as PageRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ..._internal.argument_checks import parse_texts
from ..._internal.clock import clock_of
from ..._internal.movable_clock import as_movable
from ..console import console_routes
from ..control.routes import control_routes
from ..control.sandbox_state import SandboxState
from ..control.state_file import SaveBeforeAnswer, StateFile
from ..control.webhook_control import firing_routes
from ..demo import DEMO_REDIRECT_URL, demo_market
from ..domain.market import Market
from ..domain.orders.time_spans import Spans
from ..error_responses import INTERNAL_ERROR, Refusal
from ..faults.fault_delivery import Sleep, carry_out, deliver, too_many
from ..faults.rate_limits import Limits
from ..faults.rules import FaultRule, Faults
from ..handlers.handlers import play
from ..json_input import encodable
from ..webhook_delivery import Webhooks
from .authorization import authorization_routes
from .gateway import AdmittedCall, Gateway, Received
from .request_body import headers_of, path_of, query_pairs_of, read_body
from .request_log import LoggedRequest
from .routes import find_route
from .site_protection import AllowedHosts, SameOriginOnly


def create_app(
    *,
    market: Market | None = None,
    orders: int = 300,
    seed: int = 1,
    spans: Spans | None = None,
    clock: Callable[[], float] = time.time,
    latency: float | Callable[[], float] = 0.0,
    faults: Faults | None = None,
    limits: Limits | None = None,
    sleep: Sleep | None = None,
    redirect_url: str = DEMO_REDIRECT_URL,
    webhook_url: str | None = None,
    webhook_time_scale: float = 1.0,
    webhook_sleep: Sleep | None = None,
    webhook_transport: httpx.AsyncBaseTransport | None = None,
    state: StateFile | None = None,
    allowed_hosts: Iterable[str] = (),
) -> Starlette:
    """Return a shop on its own, with the demo's credentials and its state in memory.

    Args:
        market: Apps, tokens and shops in place of the demo's; ``orders``, ``seed`` and ``spans``
            are then its own affair.
        spans: How long things take in the demo's shops.
        clock: Unix seconds; decides about timestamps, expiry and pending cancellations.
        latency: Seconds to hold every answer back, or a function that returns them. A call has
            taken effect by then, as one has whose answer is lost on the way.
        faults: What is to go wrong; more can be added while it runs, also to ``app.state.faults``.
        limits: How many calls are let through; none are refused by default.
        sleep: Waits for latency and slow answers. By default the clock does, so that moving it
            ahead ends the wait.
        redirect_url: Where the authorize page of the demo's app leads.
        webhook_url: Gets every webhook, without any subscription.
        webhook_time_scale: Makes the waits between attempts of a delivery shorter or longer.
        webhook_sleep: Waits in their place; by default the clock does.
        webhook_transport: What webhooks are sent through, such as `httpx.ASGITransport`.
        state: Keeps the state in a file as well. The caller opens and closes it; where it has a
            state already, ``market``, ``orders`` and ``seed`` say only what a reset returns to.
        allowed_hosts: Names that a Host header may have, besides loopback ones and the address at
            which the server was reached.
    """
    hosts = parse_texts(allowed_hosts, "allowed_hosts")
    if market is None:
        clock = as_movable(clock)
        market = demo_market(
            orders=orders, seed=seed, spans=spans, clock=clock, redirect_url=redirect_url
        )
    if state is not None:
        state.keep(market, clock)
    webhooks = Webhooks(
        market,
        default_url=webhook_url,
        time_scale=webhook_time_scale,
        clock=clock,
        sleep=webhook_sleep or clock_of(clock).sleep,
        transport=webhook_transport,
    )
    bench = SandboxState(
        market=market,
        clock=clock,
        faults=Faults() if faults is None else faults,
        limits=limits or Limits(),
        webhooks=webhooks,
        state=state,
    )
    bench.limits.use_clock(clock)
    shopfront = OperationEndpoint(bench, latency, sleep or clock_of(clock).sleep)
    saving = [] if state is None else [Middleware(SaveBeforeAnswer, state=state)]
    tools = Mount(
        "/_sandbox",
        routes=[*control_routes(bench), *console_routes(bench), *firing_routes(webhooks)],
        middleware=[Middleware(SameOriginOnly)],
    )
    routes: list[Mount | PageRoute] = [
        tools,
        PageRoute("/", _Home(shopfront)),
        *authorization_routes(bench, shopfront.envelope, shopfront.sleep),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(AllowedHosts, names=hosts),
            *saving,
            Middleware(_StraightToShopfront, shopfront=shopfront, routes=routes),
        ],
        exception_handlers={Exception: shopfront.internal_error},
        lifespan=_lifespan(bench),
    )
    app.router.default = shopfront
    app.state.market = market
    app.state.faults = bench.faults
    app.state.limits = bench.limits
    app.state.requests = bench.requests
    app.state.webhooks = webhooks
    return app


def _lifespan(bench: SandboxState) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        """Keep up with time as long as the application is served; send nothing after that."""
        bench.webhooks.run_in(asyncio.get_running_loop())
        keeping_up = asyncio.create_task(bench.keep_up())
        try:
            yield
        finally:
            keeping_up.cancel()
            await asyncio.gather(keeping_up, return_exceptions=True)
            await bench.webhooks.aclose()

    return lifespan


class _StraightToShopfront:
    """Spares a call the search for its path among the routes of everything else."""

    def __init__(
        self, app: ASGIApp, shopfront: ASGIApp, routes: Iterable[Mount | PageRoute]
    ) -> None:
        self._app = app
        self._shopfront = shopfront
        self._starts = frozenset(_start(route.path) for route in routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lead a request to what may know its path."""
        is_call = scope["type"] == "http" and _start(path_of(scope)) not in self._starts
        await (self._shopfront if is_call else self._app)(scope, receive, send)


class _Home:
    """Leads a browser to the console; whatever has a query is a call to a path that is unknown."""

    def __init__(self, shopfront: ASGIApp) -> None:
        self._shopfront = shopfront

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_visit = scope["method"] in ("GET", "HEAD") and not scope["query_string"]
        console = RedirectResponse(f"{scope.get('root_path', '')}/_sandbox/")
        await (console if is_visit else self._shopfront)(scope, receive, send)


def _start(path: str) -> str:
    """Return the first segment of a path."""
    return path[1:].partition("/")[0]


class OperationEndpoint:
    """Receives each request, has it admitted and played, and answers with an envelope."""

    def __init__(
        self, bench: SandboxState, latency: float | Callable[[], float], sleep: Sleep
    ) -> None:
        self._bench = bench
        self._market = bench.market
        self._gateway = Gateway(bench.market, bench.clock)
        self._clock = bench.clock
        self._latency = latency
        self.sleep = sleep
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        entry = self._bench.requests.open(scope["method"], path_of(scope), self._clock())
        try:
            response, rule = await self._answer(scope, receive, entry)
            if response is None:
                return
            delay = self._latency() if callable(self._latency) else self._latency
            if delay > 0:
                await self.sleep(delay)
            entry.note_delivery(response.status_code, bytes(response.body), rule)
            await deliver(response, rule, scope, receive, send, self.sleep)
        finally:
            entry.milliseconds = (time.perf_counter() - started) * 1000

    async def internal_error(self, request: Request, error: Exception) -> Response:
        """Answer for a fault of the sandbox itself; the server logs it."""
        return self.envelope(
            INTERNAL_ERROR, "Internal error.", None, HTTPStatus.INTERNAL_SERVER_ERROR
        )

    async def _answer(
        self, scope: Scope, receive: Receive, entry: LoggedRequest
    ) -> tuple[Response | None, FaultRule | None]:
        """Return the answer and what spoils it; None when the client left before its end."""
        received: Received | None = None
        rule: FaultRule | None = None
        try:
            path = path_of(scope)
            headers = entry.header_pairs = headers_of(scope)
            route = find_route(scope["method"], path)
            entry.operation = route.operation.id
            body = await read_body(receive, headers, route.operation.body)
            if body is None:
                return None, None
            pairs = query_pairs_of(scope)
            received = Received(path, pairs, headers, body, entry.remarks)
            call = self._gateway.admit(received, route)
            entry.note_request(pairs, received.signed_body, call.query["sign"])
            rule = self._strike(call)
            answer = carry_out(partial(self._play, call, entry), rule, self._clock())
            if isinstance(answer, Response):
                return answer, rule
            entry.note_answer(0, "Success")
            return self.envelope(0, "Success", answer, HTTPStatus.OK), rule
        except Refusal as refusal:
            if received is not None and not entry.query_pairs:
                self._explain(received, entry)
            entry.note_answer(refusal.code, refusal.message)
            response = self.envelope(refusal.code, refusal.message, None, refusal.http_status)
            response.headers.update(refusal.headers)
            return response, rule

    def _strike(self, call: AdmittedCall) -> FaultRule | None:
        """Return what strikes a call; one that is over a limit is refused before."""
        limits, shop = self._bench.limits, call.shop.cipher if call.shop else ""
        excess = limits.take(call.token.app_key, shop, call.operation)
        if excess is not None:
            raise too_many(excess, limits.settings.retry_after, self._clock())
        return self._bench.faults.strike(call.operation.id)

    def _play(self, call: AdmittedCall, entry: LoggedRequest) -> dict[str, Any]:
        data = play(call, self._market)
        entry.processed = True
        return data

    def _explain(self, received: Received, entry: LoggedRequest) -> None:
        """Note how a refused request should have been signed."""
        app = self._market.apps.get(dict(received.query_pairs).get("app_key", ""))
        body = received.signed_body
        expected = app.verifier.expected(received.path, received.query_pairs, body) if app else None
        entry.note_request(received.query_pairs, body, expected)

    def envelope(
        self, code: int, message: str, data: dict[str, Any] | None, http_status: int
    ) -> Response:
        """Return an answer."""
        request_id = f"{int(self._clock())}{next(self._numbers):010X}"
        envelope = {
            "code": code,
            "message": encodable(message),  # it may repeat what a request had
            "request_id": request_id,
            "data": data,
        }
        return Response(
            msgspec.json.encode(envelope),
            status_code=http_status,
            headers={
                "date": formatdate(self._clock(), usegmt=True),  # in place of the server's
                "x-tts-logid": request_id,
            },
            media_type="application/json",
        )
