"""The sandbox as a test has it: in its own process or on a port, with time that can be moved."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import attrs
import httpx

from ..client import AsyncTikTokShop
from ..clock import MovableClock
from ..sandbox import Market, Sandbox, Shop, create_app, demo_market, run_sandbox

ORDERS = 100
"""How many orders a shop begins with."""


@attrs.frozen(kw_only=True)
class LocalShop:
    """A sandbox, its time, and clients of it."""

    sandbox: Sandbox
    clock: MovableClock
    in_process: httpx.AsyncBaseTransport | None = None

    @property
    def shop(self) -> Shop:
        """The shop behind the API, to look into or to change."""
        return self.sandbox.shop

    @property
    def base_url(self) -> str:
        """Where it is served; in this process no socket is behind it."""
        return self.sandbox.base_url

    def client(self, **options: Any) -> AsyncTikTokShop:
        """Return a client with the sandbox's credentials and clock."""
        known: dict[str, Any] = {
            "app_key": self.sandbox.app_key,
            "app_secret": self.sandbox.app_secret,
            "access_token": self.sandbox.access_token,
            "shop_cipher": self.sandbox.shop_cipher,
            "base_url": self.sandbox.base_url,
            "clock": self.clock,
            "transport": self.in_process,
        }
        return AsyncTikTokShop(**(known | options))


def local_shop() -> LocalShop:
    """Return a sandbox in this process."""
    clock = MovableClock()
    market = _market(clock)
    app = create_app(market=market, clock=clock)
    return LocalShop(
        sandbox=Sandbox(
            base_url="http://sandbox.local",
            market=market,
            faults=app.state.faults,
            limits=app.state.limits,
            requests=app.state.requests,
            webhooks=app.state.webhooks,
        ),
        clock=clock,
        in_process=httpx.ASGITransport(app),
    )


@contextmanager
def served_shop() -> Iterator[LocalShop]:
    """Serve a sandbox until the block ends.

    It has an event loop of its own, so it serves tests of any kind, also those that block.
    """
    clock = MovableClock()
    ready: Future[Sandbox] = Future()
    stop = threading.Event()

    async def serve() -> None:
        async with run_sandbox(orders=ORDERS, clock=clock, pending_share=0.0) as sandbox:
            ready.set_result(sandbox)
            await asyncio.to_thread(stop.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="tiktok-shop-sandbox")
    thread.start()
    try:
        yield LocalShop(sandbox=ready.result(), clock=clock)
    finally:
        stop.set()
        thread.join()


def _market(clock: MovableClock) -> Market:
    return demo_market(orders=ORDERS, seed=1, clock=clock, pending_share=0.0)
