"""A sandbox with an app's authorization in it, seen by one or several processes of the app."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

from tiktok_shop_async import AsyncTikTokShop, TikTokShopOAuth, Token, TokenStoreError
from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.auth import (
    AuthEvent,
    Authorizations,
    MemoryTokenStore,
    StoredValue,
    TokenStore,
)
from tiktok_shop_async.sandbox import (
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_SERVICE_ID,
    DEMO_SHOP_CIPHER,
    Sandbox,
    TokenRules,
    create_app,
    demo_market,
)

DAY = 86400
AUTHORIZE = f"/open/authorize?service_id={DEMO_SERVICE_ID}"
REASON = "seller_cancel_reason_out_of_stock"


class World:
    """A shop in this process, its time, and a store that all processes of the app share."""

    def __init__(self, store: TokenStore | None = None, **rules: Any) -> None:
        self.clock = MovableClock()
        market = demo_market(
            orders=60,
            seed=1,
            clock=self.clock,
            pending_share=0.0,
            token_rules=TokenRules(**rules),
        )
        app = create_app(market=market, clock=self.clock)
        self.transport = httpx.ASGITransport(app)
        self.sandbox = Sandbox.of(
            app, base_url="http://sandbox.local", clock=self.clock, transport=self.transport
        )
        self.market = market
        self.store = store or MemoryTokenStore()
        self.slept: list[float] = []
        self.longest = math.inf
        self.woken = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Return at once; from ``longest`` seconds on, only when a test says so."""
        self.slept.append(seconds)
        if len(self.slept) > self.longest:
            await self.woken.wait()
        await asyncio.sleep(0)

    def oauth(self) -> TikTokShopOAuth:
        return TikTokShopOAuth(
            DEMO_APP_KEY,
            DEMO_APP_SECRET,
            service_id=DEMO_SERVICE_ID,
            base_url=self.sandbox.base_url,
            transport=self.transport,
            clock=self.clock,
        )

    def process(self, **options: Any) -> Process:
        """Return one more process of the app."""
        return Process(self, **options)

    async def authorized(self) -> Token:
        """Return the token of a seller who approves."""
        async with httpx.AsyncClient(
            transport=self.transport, base_url=self.sandbox.base_url
        ) as browser:
            answer = await browser.post(AUTHORIZE, data={"decision": "approve", "role": "seller"})
        return await self.oauth().exchange(httpx.URL(answer.headers["location"]).params["code"])

    def order_ids(self) -> list[str]:
        orders = self.sandbox.shop.orders.values()
        return [order.id for order in orders if order.status == "AWAITING_SHIPMENT"]

    def calls_of(self, operation: str) -> int:
        return sum(entry.operation == operation for entry in self.sandbox.requests)


class Process:
    """What one process of the app has: its registry, a client, and the events it was told."""

    def __init__(self, world: World, store: TokenStore | None = None, **options: Any) -> None:
        self.events: list[AuthEvent] = []
        known: dict[str, Any] = {
            "on_event": self.events.append,
            "clock": world.clock,
            "sleep": world.sleep,
        }
        self.world = world
        self.authorizations = Authorizations(
            world.oauth(), store or world.store, **(known | options)
        )

    def client(self, open_id: str, **options: Any) -> AsyncTikTokShop:
        auth = self.authorizations.auth(open_id, shop_cipher=DEMO_SHOP_CIPHER)
        return self.world.sandbox.client(auth=auth, **options)

    def told(self, kind: type[AuthEvent]) -> int:
        return sum(isinstance(event, kind) for event in self.events)


class UnreliableStore:
    """A store in memory that fails when and how a test says."""

    def __init__(self) -> None:
        self.inner = MemoryTokenStore()
        self.fails: Callable[[str], bool] = lambda what: False
        self.puts = 0

    def _maybe(self, what: str) -> None:
        if self.fails(what):
            raise TokenStoreError(f"the store could not {what}.")

    async def get(self, key: str) -> StoredValue | None:
        self._maybe("read")
        return await self.inner.get(key)

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        self.puts += 1
        self._maybe("write")
        return await self.inner.put(key, value, version=version)

    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        self._maybe("lock")
        return self.inner.lock(key)
