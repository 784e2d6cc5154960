"""The sandbox as a test has it: in its own process or on a port, with time that can be moved."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import httpx

from .._internal.movable_clock import MovableClock
from ..sandbox import Sandbox, create_app, demo_market, run_sandbox

ORDERS = 100
"""How many orders a shop begins with."""


def local_shop() -> Sandbox:
    """Return a sandbox in this process."""
    clock = MovableClock()
    market = demo_market(orders=ORDERS, seed=1, clock=clock, pending_share=0.0)
    app = create_app(market=market, clock=clock)
    return Sandbox.of(
        app,
        base_url="http://sandbox.local",
        clock=clock,
        transport=httpx.ASGITransport(app),
    )


@contextmanager
def served_shop() -> Iterator[Sandbox]:
    """Serve a sandbox until the block ends.

    It has an event loop of its own, so it serves tests of any kind, also those that block.
    """
    ready: Future[Sandbox] = Future()
    stop = threading.Event()

    async def serve() -> None:
        async with run_sandbox(orders=ORDERS, pending_share=0.0) as sandbox:
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
        yield ready.result()
    finally:
        stop.set()
        thread.join()
