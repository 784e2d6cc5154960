"""The sandbox on a port, in this process or in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import attrs
import httpx
import uvicorn
from starlette.applications import Starlette

from .._internal.clock import TimeSource
from .._internal.movable_clock import Movable
from ..client import AsyncTikTokShop
from .app import create_app
from .demo import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_REDIRECT_URL,
    DEMO_REFRESH_TOKEN,
    DEMO_SHOP_CIPHER,
    demo_market,
)
from .domain.market import Market, TokenRules
from .domain.orders.shop_settings import PENDING_SHARE, Spans
from .domain.shop import Shop
from .faults.dropped_connections import SandboxProtocol
from .faults.fault_delivery import Sleep
from .faults.rate_limits import Limits
from .faults.rules import Faults
from .state.request_log import RequestLog
from .state.sandbox_state import movable_clock
from .state.state_file import StateFile
from .webhook_delivery import Webhooks
from .webhook_sender import Delivery


@attrs.frozen(kw_only=True)
class Sandbox:
    """A running sandbox: its address, credentials, clock and state."""

    base_url: str
    market: Market = attrs.field(repr=False)
    faults: Faults = attrs.field(repr=False)
    limits: Limits = attrs.field(repr=False)
    requests: RequestLog = attrs.field(repr=False)
    webhooks: Webhooks = attrs.field(repr=False)
    app_key: str = DEMO_APP_KEY
    app_secret: str = attrs.field(default=DEMO_APP_SECRET, repr=False)
    access_token: str = attrs.field(default=DEMO_ACCESS_TOKEN, repr=False)
    refresh_token: str = attrs.field(default=DEMO_REFRESH_TOKEN, repr=False)
    shop_cipher: str = attrs.field(default=DEMO_SHOP_CIPHER, repr=False)
    clock: Movable = attrs.field(repr=False)
    transport: httpx.AsyncBaseTransport | None = attrs.field(default=None, repr=False)
    """Transport to a sandbox in this process, without a socket."""

    @classmethod
    def of(
        cls,
        app: Starlette,
        *,
        base_url: str,
        clock: Movable,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Self:
        """Return the sandbox of an application with the demo market."""
        return cls(
            base_url=base_url,
            market=app.state.market,
            faults=app.state.faults,
            limits=app.state.limits,
            requests=app.state.requests,
            webhooks=app.state.webhooks,
            clock=clock,
            transport=transport,
        )

    @property
    def shop(self) -> Shop:
        """The shop of `shop_cipher`, to inspect or change without the API."""
        return self.market.shops[self.shop_cipher]

    def client(self, **options: Any) -> AsyncTikTokShop:
        """Return a client with the sandbox's address, credentials and clock; options override them.

        Instead of waiting before a retry, it moves the clock ahead.
        """

        async def sleep(seconds: float) -> None:
            self.clock.advance(seconds)
            await asyncio.sleep(0)

        arguments: dict[str, Any] = {
            "app_key": self.app_key,
            "app_secret": self.app_secret,
            "base_url": self.base_url,
            "clock": self.clock,
            "sleep": sleep,
            "transport": self.transport,
        }
        if "auth" not in options:
            arguments |= {"access_token": self.access_token, "shop_cipher": self.shop_cipher}
        if "http_client" in options:
            del arguments["transport"]
        return AsyncTikTokShop(**(arguments | options))

    def fire(self, event_type: int | str, data: Mapping[str, Any] | None = None) -> list[Delivery]:
        """Fire a webhook; see `Webhooks.fire`."""
        return self.webhooks.fire(event_type, data, shop_id=self.shop.id)


@asynccontextmanager
async def run_sandbox(
    *,
    orders: int = 300,
    seed: int = 1,
    port: int = 0,
    clock: TimeSource = time.time,
    latency: float | Callable[[], float] = 0.0,
    pending_share: float = PENDING_SHARE,
    pending_seconds: float | None = None,
    spans: Spans | None = None,
    faults: Faults | None = None,
    limits: Limits | None = None,
    sleep: Sleep | None = None,
    redirect_url: str = DEMO_REDIRECT_URL,
    token_rules: TokenRules | None = None,
    webhook_url: str | None = None,
    webhook_time_scale: float = 1.0,
    state: str | os.PathLike[str] | None = None,
) -> AsyncIterator[Sandbox]:
    """Serve a sandbox on loopback, in the running event loop, until the block ends.

    Port 0 selects a free port. Signal handlers stay unchanged. ``pending_seconds`` replaces the one
    of ``spans``. ``state`` is the path of a file that stores the state; see `StateFile`.
    """
    clock = movable_clock(clock)
    market = demo_market(
        orders=orders,
        seed=seed,
        clock=clock,
        pending_share=pending_share,
        pending_seconds=pending_seconds,
        spans=spans,
        redirect_url=redirect_url,
        token_rules=token_rules,
    )
    with contextlib.nullcontext() if state is None else StateFile(state) as state_file:
        app = create_app(
            market=market,
            clock=clock,
            latency=latency,
            faults=faults,
            limits=limits,
            sleep=sleep,
            webhook_url=webhook_url,
            webhook_time_scale=webhook_time_scale,
            state=state_file,
        )
        async with _served(app, port) as url:
            yield Sandbox.of(app, base_url=url, clock=clock)


@asynccontextmanager
async def _served(app: Starlette, port: int) -> AsyncIterator[str]:
    """Serve an application until the block ends, and yield its URL."""
    with listening(port=port) as listener:
        server = _EmbeddedServer(server_config(app))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await server.wait_until_started(serving)
            yield base_url(listener)
        finally:
            server.should_exit = True
            await serving


KEEP_ALIVE = 75
"""Seconds to keep an idle connection: longer than clients do.

Otherwise a request could be sent on a connection that is being closed, and its outcome would be
unknown. On a busy machine, uvicorn's default of 5 seconds is too short.
"""


_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  not to listen on
"""Address for all interfaces -> the loopback address that clients on this machine can use."""


def server_config(app: Starlette) -> uvicorn.Config:
    """Return the configuration of a server, without access log and unused features."""
    return uvicorn.Config(
        app,
        http=SandboxProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,  # the sandbox sets it by its own clock
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=1,
    )


@contextmanager
def listening(*, host: str = "127.0.0.1", port: int = 0) -> Iterator[socket.socket]:
    """Listen on a port; clients may connect before the server accepts them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=2048) as listener:
        # Connections inherit this option. Without it, every response in two parts waits 40 ms for
        # the client's acknowledgement; event loops do not set it on a given socket.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def base_url(listener: socket.socket) -> str:
    """Return the URL of a listener for clients on this machine."""
    host, port, *_ = listener.getsockname()
    return url_of(host, port)


def url_of(host: str, port: int) -> str:
    """Return the URL of a server; an address for all interfaces becomes loopback."""
    host = _LOOPBACK.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _EmbeddedServer(uvicorn.Server):
    """A server that leaves the process's signal handlers unchanged."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._started = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do not install signal handlers."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started.set()

    async def wait_until_started(self, serving: asyncio.Task[None]) -> None:
        """Wait until connections are accepted; raise the error if the server cannot start."""
        started = asyncio.create_task(self._started.wait())
        await asyncio.wait((started, serving), return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            started.cancel()
            serving.result()
            raise AssertionError("a server that does not start raises an error")
