"""The pytest plugin: fixtures for the mocked shop and for the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..sandbox import Sandbox
    from . import MockTikTokShop


@pytest.fixture
def mock_tiktok_shop() -> Iterator[MockTikTokShop]:
    """Mock the shop for all of httpx, as ``with MockTikTokShop()`` does."""
    from . import MockTikTokShop

    with MockTikTokShop() as mock:
        yield mock


@pytest.fixture
def sandbox() -> Sandbox:
    """Return a fresh sandbox in this process, without a port."""
    from .sandboxes import local_shop

    return local_shop()


@pytest.fixture
def sandbox_server() -> Iterator[Sandbox]:
    """Serve a fresh sandbox on a free port of this machine, in a thread of its own."""
    from .sandboxes import served_shop

    with served_shop() as shop:
        yield shop
