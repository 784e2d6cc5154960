"""A real server for an application, and deliveries as the platform sends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tiktok_shop_async.sandbox.server import _EmbeddedServer, base_url, listening
from tiktok_shop_async.webhooks import Webhooks

WEBHOOKS = Webhooks("key", "secret")


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serve an application by uvicorn, in the running event loop, and give its URL."""
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1)
    server = _EmbeddedServer(config)
    with listening() as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await server.wait_until_started(serving)
            yield base_url(listener)
        finally:
            server.should_exit = True
            await serving


def delivery(number: int | str = 1, event_type: Any = 1, **data: Any) -> bytes:
    """Return a body; the number is that of its notification and of its order."""
    return json.dumps(
        {
            "type": event_type,
            "tts_notification_id": str(number),
            "shop_id": "7",
            "timestamp": 1718305585,
            "data": {"order_id": str(number), "order_status": "UNPAID", **data},
        }
    ).encode()


def signed(body: bytes) -> tuple[bytes, str]:
    return body, WEBHOOKS.sign(body)
