"""The sandbox as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .._internal.argument_checks import parse_texts
from .._internal.clock import TimeSource, clock_of
from .._internal.movable_clock import Movable
from .console import console_routes
from .console.authorization_pages import authorization_page_routes
from .control.control_routes import control_routes
from .control.webhook_control import webhook_control_routes
from .demo import DEMO_REDIRECT_URL, demo_market
from .domain.market import Market
from .domain.orders.shop_settings import Spans
from .faults.fault_delivery import Sleep
from .faults.rate_limits import Limits
from .faults.rules import Faults
from .http.operation_endpoint import OperationEndpoint
from .http.request_body import path_of
from .http.response_envelope import EnvelopeFactory
from .http.saving import SaveBeforeResponse
from .http.site_protection import AllowedHosts, SameOriginOnly
from .http.token_endpoints import token_routes
from .state.sandbox_state import SandboxState, movable_clock
from .state.state_file import StateFile
from .webhook_delivery import Webhooks


def create_app(
    *,
    market: Market | None = None,
    orders: int = 300,
    seed: int = 1,
    spans: Spans | None = None,
    clock: TimeSource = time.time,
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
    """Return the ASGI application of a sandbox, by default with the demo market.

    Args:
        market: Apps, tokens and shops to use instead of the demo market; ``orders``, ``seed`` and
            ``spans`` then have no effect.
        orders: Number of orders in the demo's first shop.
        seed: Selects the demo's orders; equal seeds give equal shops.
        spans: Time spans of the demo's shops.
        clock: A clock, or a function that returns Unix seconds.
        latency: Seconds to delay every response, or a function that returns them. The call is
            processed before the delay.
        faults: Initial fault rules; rules can be added later, also to ``app.state.faults``.
        limits: Rate limits and quotas; by default there are none.
        sleep: Waits for latency and slow responses. By default the clock does, so that moving it
            ahead ends the wait.
        redirect_url: Redirect URL of the demo's app.
        webhook_url: Receives every webhook without a subscription.
        webhook_time_scale: Factor for the waits between delivery attempts.
        webhook_sleep: Waits between delivery attempts; by default the clock does.
        webhook_transport: Transport for webhooks, such as `httpx.ASGITransport`.
        state: A file that stores the state. The caller opens and closes it. If it has a state
            already, ``market``, ``orders`` and ``seed`` only define what a reset returns to.
        allowed_hosts: Accepted names in the Host header, besides loopback names and the address of
            the server.
    """
    hosts = parse_texts(allowed_hosts, "allowed_hosts")
    if market is None:
        clock = movable_clock(clock)
        market = demo_market(
            orders=orders, seed=seed, spans=spans, clock=clock, redirect_url=redirect_url
        )
    if state is not None:
        state.attach(market, clock)
    webhooks = Webhooks(
        market,
        default_url=webhook_url,
        time_scale=webhook_time_scale,
        clock=clock,
        sleep=webhook_sleep,
        transport=webhook_transport,
    )
    sandbox = SandboxState(
        market=market,
        clock=clock_of(clock),
        movable=clock if isinstance(clock, Movable) else None,
        faults=Faults() if faults is None else faults,
        limits=limits or Limits(),
        webhooks=webhooks,
        file=state,
    )
    sandbox.limits.use_clock(sandbox.clock)
    return _application(sandbox, hosts, latency, sleep or sandbox.clock.sleep)


def _application(
    state: SandboxState,
    hosts: Iterable[str],
    latency: float | Callable[[], float],
    sleep: Sleep,
) -> Starlette:
    """Return the application of a state, which it also offers as ``app.state``."""
    envelopes = EnvelopeFactory(state.clock)
    operations = OperationEndpoint(state, envelopes, latency, sleep)
    same_origin = [Middleware(SameOriginOnly)]
    control = [*control_routes(state), *console_routes(state), *webhook_control_routes(state)]
    routes: list[Mount | Route] = [
        Mount("/_sandbox", routes=control, middleware=same_origin),
        Route("/", _Home(operations)),
        *authorization_page_routes(state, same_origin),
        *token_routes(state, envelopes, sleep),
    ]
    saving = [] if state.file is None else [Middleware(SaveBeforeResponse, file=state.file)]
    shortcut = Middleware(_OperationShortcut, operations=operations, routes=routes)
    app = Starlette(
        routes=routes,
        middleware=[Middleware(AllowedHosts, names=hosts), *saving, shortcut],
        exception_handlers={Exception: _internal_error(envelopes)},
        lifespan=_lifespan(state),
    )
    app.router.default = operations
    for name in ("market", "faults", "limits", "requests", "webhooks"):
        setattr(app.state, name, getattr(state, name))
    return app


def _internal_error(envelopes: EnvelopeFactory) -> Callable[[Request, Exception], Any]:
    async def respond(_: Request, __: Exception) -> Response:
        """Respond to a failure of the sandbox itself, which the server logs."""
        return envelopes.internal_error()

    return respond


def _lifespan(state: SandboxState) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        """Run the schedule and deliver webhooks while the application is served."""
        state.webhooks.run_in(asyncio.get_running_loop())
        schedule = asyncio.create_task(state.run_schedule())
        try:
            yield
        finally:
            schedule.cancel()
            await asyncio.gather(schedule, return_exceptions=True)
            await state.webhooks.aclose()

    return lifespan


class _OperationShortcut:
    """Middleware that passes calls of operations directly to their endpoint, for speed."""

    def __init__(self, app: ASGIApp, operations: ASGIApp, routes: Iterable[Mount | Route]) -> None:
        self._app = app
        self._operations = operations
        self._other_segments = frozenset(_first_segment(route.path) for route in routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the endpoint of operations or to the router."""
        is_call = (
            scope["type"] == "http" and _first_segment(path_of(scope)) not in self._other_segments
        )
        await (self._operations if is_call else self._app)(scope, receive, send)


class _Home:
    """Endpoint of ``/``: redirects browsers to the console; a request with a query is a call."""

    def __init__(self, operations: ASGIApp) -> None:
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        is_visit = scope["method"] in ("GET", "HEAD") and not scope["query_string"]
        console = RedirectResponse(f"{scope.get('root_path', '')}/_sandbox/")
        await (console if is_visit else self._operations)(scope, receive, send)


def _first_segment(path: str) -> str:
    return path[1:].partition("/")[0]
