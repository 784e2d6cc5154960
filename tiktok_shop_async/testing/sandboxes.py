"""Sandboxes of the fixtures: in the process of a test or on a port, with a movable clock."""

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
"""The number of orders that a new sandbox has."""


def create_sandbox() -> Sandbox:
    """Return a sandbox in this process, without a port."""
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
def serve_sandbox() -> Iterator[Sandbox]:
    """Serve a sandbox until the block ends.

    It has its own event loop, so it also serves tests that block theirs.
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
