from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tiktok_shop_async.sandbox import DEMO_SERVICE_ID, Sandbox, run_sandbox


@pytest.fixture
async def shop() -> AsyncIterator[Sandbox]:
    async with run_sandbox(orders=100, pending_share=0) as sandbox:
        yield sandbox


@pytest.fixture
def waiting(shop: Sandbox) -> list[str]:
    """The ids of orders that may be cancelled."""
    orders = shop.shop.orders.values()
    return [order.id for order in orders if order.status == "AWAITING_SHIPMENT"]


@pytest.fixture
def picture() -> str:
    """A PNG of 800 by 600, in base64."""
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 800, 600)
    return base64.b64encode(head + b"\r\n--").decode()


@pytest.fixture
def picture_file(picture: str, tmp_path: Path) -> Path:
    """The same picture in a file."""
    file = tmp_path / "shirt.png"
    file.write_bytes(base64.b64decode(picture))
    return file


@pytest.fixture
async def authorization_code(shop: Sandbox) -> str:
    """The code that an approved authorization brings."""
    async with httpx.AsyncClient(base_url=shop.base_url, trust_env=False) as http:
        approved = await http.post(
            "/open/authorize",
            params={"service_id": DEMO_SERVICE_ID, "state": "s"},
            data={"decision": "approve", "role": "seller"},
        )
    return httpx.URL(approved.headers["location"]).params["code"]
