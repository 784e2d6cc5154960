from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from helpers.webhooks.stores.places import KINDS, Place, place_of

from tiktok_shop_async.webhooks import WebhookStore


@pytest.fixture(params=KINDS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with place_of(request.param, tmp_path) as place:
        yield place


@pytest.fixture
async def store(place: Place) -> AsyncIterator[WebhookStore]:
    async with place.opened() as store:
        yield store
