"""The sandbox on a real port: inside this process, or as a process of its own."""

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

from .._internal.movable_clock import Movable, as_movable
from ..client import AsyncTikTokShop
from .control.state_file import StateFile
from .demo import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_REDIRECT_URL,
    DEMO_REFRESH_TOKEN,
    DEMO_SHOP_CIPHER,
    demo_market,
)
from .domain.aftersales.cancelling import PENDING_SHARE
from .domain.market import Market, TokenRules
from .domain.orders.time_spans import Spans
from .domain.shop import Shop
from .faults.fault_delivery import Sleep
from .faults.rate_limits import Limits
from .faults.rules import Faults
from .http.app import create_app
from .http.connection import SandboxProtocol
from .http.request_log import RequestLog
from .webhook_delivery import Delivery, Webhooks


@attrs.frozen(kw_only=True)
class Sandbox:
    """A sandbox: where it is, how to call it, its time, and what it remembers."""

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
    """Leads to it where it is in this process, without a socket."""

    @classmethod
    def of(
        cls,
        app: Starlette,
        *,
        base_url: str,
        clock: Movable,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Self:
        """Describe a demo's application that can be reached."""
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
        """The shop of `shop_cipher`, to look into or to change behind the API's back."""
        return self.market.shops[self.shop_cipher]

    def client(self, **options: Any) -> AsyncTikTokShop:
        """Return a client with the sandbox's address, credentials and clock; options win.

        Before it repeats a call it moves the clock ahead instead of waiting.
        """

        async def sleep(seconds: float) -> None:
            self.clock.advance(seconds)
            await asyncio.sleep(0)

        known: dict[str, Any] = {
            "app_key": self.app_key,
            "app_secret": self.app_secret,
            "base_url": self.base_url,
            "clock": self.clock,
            "sleep": sleep,
            "transport": self.transport,
        }
        if "auth" not in options:
            known |= {"access_token": self.access_token, "shop_cipher": self.shop_cipher}
        if "http_client" in options:
            del known["transport"]
        return AsyncTikTokShop(**(known | options))

    def fire(self, event_type: int | str, data: Mapping[str, Any] | None = None) -> list[Delivery]:
        """Send a webhook by hand; see `Webhooks.fire`."""
        return self.webhooks.fire(event_type, data, shop_id=self.shop.id)


@asynccontextmanager
async def run_sandbox(
    *,
    orders: int = 300,
    seed: int = 1,
    port: int = 0,
    clock: Callable[[], float] = time.time,
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

    Port 0 takes a free one. Signals stay with whoever handles them now. ``pending_seconds`` is
    short for the one of the ``spans``. ``state`` names a file to go on from and to keep everything
    in; see `StateFile`.
    """
    clock = as_movable(clock)
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
    """Serve an application until the block ends, which gets the URL."""
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
"""Seconds that an idle connection is kept: longer than clients keep theirs.

So no request meets the end of its connection, which would leave its outcome unknown; on a busy
machine the 5 seconds of uvicorn are soon over.
"""


_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  nothing is bound here
"""Address that stands for all of this machine's -> the one that clients here can use."""


def server_config(app: Starlette) -> uvicorn.Config:
    """Return how a sandbox is served: quietly, and without anything it has no use for."""
    return uvicorn.Config(
        app,
        http=SandboxProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,  # the sandbox has a clock of its own
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=1,
    )


@contextmanager
def listening(*, host: str = "127.0.0.1", port: int = 0) -> Iterator[socket.socket]:
    """Listen on a port; clients may connect before the server accepts them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=2048) as listener:
        # Its connections inherit this. Event loops leave it to whoever made the socket, and without
        # it every answer in two parts waits 40 ms for the client's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def base_url(listener: socket.socket) -> str:
    """Return the URL under which a listener can be reached from this machine."""
    host, port, *_ = listener.getsockname()
    return url_of(host, port)


def url_of(host: str, port: int) -> str:
    """Return the URL of a server on an address; that of all addresses becomes loopback."""
    host = _LOOPBACK.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _EmbeddedServer(uvicorn.Server):
    """A server that is a guest in somebody's process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._started = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started.set()

    async def wait_until_started(self, serving: asyncio.Task[None]) -> None:
        """Return when connections are accepted, or raise what kept the server from it."""
        started = asyncio.create_task(self._started.wait())
        await asyncio.wait((started, serving), return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            started.cancel()
            serving.result()
            raise AssertionError("a server that has not started ends with an error")
