"""A shop that answers what a test tells it to, and a client that talks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import HealthCheck, settings
from support import FakeShop, new_client

from tiktok_shop_async import AsyncTikTokShop

# A test's verdict must not depend on how busy the machine is.
settings.register_profile(
    "untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


@pytest.fixture
def shop() -> FakeShop:
    return FakeShop()


@pytest.fixture
async def client(shop: FakeShop) -> AsyncIterator[AsyncTikTokShop]:
    async with new_client(httpx.MockTransport(shop.handle_async_request)) as client:
        yield client
