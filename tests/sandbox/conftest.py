"""A sandbox in memory, whose time stands still; and one with a browser to look at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

import httpx
import pytest
from helpers.sandbox.console import HOOK, Console, Receiver
from helpers.sandbox.wire import Wire, new_wire

from tiktok_shop_async.sandbox import Faults, Sandbox, run_sandbox

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = new_wire(pending_share=0.0)
    async with wire.http:
        yield wire


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    from helpers.sandbox.browser import open_browser

    with open_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
async def console_sandbox() -> AsyncIterator[Sandbox]:
    """Serve a sandbox whose webhooks go to a receiver that accepts every second one."""
    from helpers.sandbox.console_page import FlakyReceiver

    async with run_sandbox(
        orders=120, pending_share=0.0, webhook_url="http://receiver.example/webhooks/tiktok-shop"
    ) as sandbox:
        sandbox.webhooks.transport = httpx.MockTransport(FlakyReceiver())
        yield sandbox


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def console_wire(receiver: Receiver) -> AsyncIterator[Wire]:
    application = {
        "faults": Faults(),
        "webhook_url": HOOK,
        "webhook_transport": httpx.MockTransport(receiver),
    }
    wire = new_wire(pending_share=0.0, application=application)
    async with wire.http, aclosing(wire.app.state.webhooks):
        yield wire


@pytest.fixture
def console(console_wire: Wire) -> Console:
    return Console(console_wire)
