"""The clients that are compared, each with the same call: cancel an order."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import tiktok_shop_api
from tiktok_shop_api.generated.models.cancel_order_request import CancelOrderRequest

from tiktok_shop_async import AsyncTikTokShop

from .harness import BORROWED, HTTPX, OURS, PEER
from .server import ANSWER

CREDENTIALS: dict[str, Any] = {
    "app_key": "68xu9ks5p4i8",
    "app_secret": "secret-of-the-app",
    "access_token": "token-of-the-seller",
    "shop_cipher": "ROW_xkMbgAAAeVAQra0eZWebFQq5aIKt",
}
ORDER: dict[str, Any] = {
    "order_id": "579489483240146725",
    "cancel_reason": "seller_cancel_reason_out_of_stock",
}

Call = Callable[[], Awaitable[Any]]


class InMemory(httpx.AsyncBaseTransport):
    """Answers at once, without a network."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the one answer."""
        return httpx.Response(
            200, headers={"content-type": "application/json"}, stream=httpx.ByteStream(ANSWER)
        )


@asynccontextmanager
async def calls(
    base_url: str, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[dict[str, Call]]:
    """Open a client of each kind and yield its call; without a transport, with its own."""
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(httpx.AsyncClient(transport=transport, timeout=30))
        ours = await stack.enter_async_context(
            AsyncTikTokShop(**CREDENTIALS, base_url=base_url, transport=transport)
        )
        borrowed = AsyncTikTokShop(**CREDENTIALS, base_url=base_url, http_client=plain)
        peer = await stack.enter_async_context(
            tiktok_shop_api.AsyncTikTokShop(**CREDENTIALS, base_url=base_url, transport=transport)
        )

        async def with_httpx() -> Any:
            response = await plain.post(
                f"{base_url}/return_refund/202309/cancellations", json=ORDER
            )
            return response.json()

        yield {
            HTTPX: with_httpx,
            OURS: lambda: ours.return_refund.cancel_order(**ORDER),
            BORROWED: lambda: borrowed.return_refund.cancel_order(**ORDER),
            PEER: lambda: peer.return_and_refund.cancel_order(body=CancelOrderRequest(**ORDER)),
        }


async def seconds_per_call(call: Call, count: int, in_flight: int = 1) -> float:
    """Make ``count`` calls, so many at once, and return the time of one."""
    turns = itertools.repeat(None, count)

    async def work() -> None:
        for _ in turns:
            await call()

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())
    return (time.perf_counter() - start) / count
