"""Pytest plugin: fixtures for the mocked shop and for the sandbox."""

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
    """Return a new sandbox in this process, without a port."""
    from .sandboxes import create_sandbox

    return create_sandbox()


@pytest.fixture
def sandbox_server() -> Iterator[Sandbox]:
    """Serve a new sandbox on a free local port, in a separate thread."""
    from .sandboxes import serve_sandbox

    with serve_sandbox() as server:
        yield server
