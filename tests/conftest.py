"""Fixtures: a fake shop with prepared responses, and a client of it."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from typing import Any

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


def pytest_collection_finish() -> None:
    """Exclude modules and collected tests from garbage collection: they exist until the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Do not measure coverage in tests of scale: smaller tests run the same lines."""
    if item.get_closest_marker("scale") is None:
        return (yield)
    with _no_coverage():
        return (yield)


@contextmanager
def _no_coverage() -> Iterator[None]:
    from coverage import Coverage
    from coverage.exceptions import CoverageWarning

    measuring = Coverage.current()
    if measuring is None:
        yield
        return
    measuring.stop()
    config = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)  # starts coverage in new processes
    try:
        yield
    finally:
        if config is not None:
            os.environ["COVERAGE_PROCESS_CONFIG"] = config
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CoverageWarning)  # the package is imported already
            measuring.start()


@pytest.fixture
def shop() -> FakeShop:
    return FakeShop()


@pytest.fixture
async def client(shop: FakeShop) -> AsyncIterator[AsyncTikTokShop]:
    async with new_client(httpx.MockTransport(shop.handle_async_request)) as client:
        yield client
