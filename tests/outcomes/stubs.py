"""Stubs of a call's other dependencies: an authorization and a limiter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from support import SHOP_CIPHER

from tiktok_shop_async import APIResponse, AsyncTikTokShop, AuthState, RequestOptions
from tiktok_shop_async.limits import LimitKey, Permit

FIRST, NEXT = "first-token", "next-token"


class Token:
    """A token that differs from every other token."""

    def __init__(self, access_token: str) -> None:
        self.access_token = access_token


class StubAuthorization:
    """An authorization whose refresh and store are controlled by the test."""

    open_id = "seller"

    def __init__(self) -> None:
        self.token = Token(FIRST)
        self.ready = True
        self.on_replace: Callable[[], Awaitable[None]] = self.renewed
        self.on_reload: Callable[[], Awaitable[None]] = self.unchanged
        self.on_prepare: Callable[[], Awaitable[None]] = self.unchanged
        self.looks = 0

    async def renewed(self) -> None:
        self.token = Token(NEXT)

    async def unchanged(self) -> None:
        pass

    async def prepare(self) -> None:
        await self.on_prepare()

    async def replace(self, _: Token) -> None:
        await self.on_replace()

    async def reload(self, _: Token) -> None:
        self.looks += 1
        await self.on_reload()

    async def settle(self) -> None:
        pass

    def state(self) -> AuthState:
        return AuthState(authorization=self, shop_cipher=SHOP_CIPHER)  # type: ignore[arg-type]


class StubLimiter:
    """A limiter that counts its permits and is controlled by the test."""

    def __init__(self) -> None:
        self.out = 0
        self.current = True
        self.on_acquire: Callable[[], Awaitable[None]] | None = None
        self.on_throttled: Callable[[], Awaitable[None]] | None = None

    def try_acquire(self, key: LimitKey) -> Permit | None:
        if self.on_acquire is not None:
            return None
        self.out += 1
        return Permit(key, 0)

    async def acquire(self, key: LimitKey, priority: str) -> Permit:
        if self.on_acquire is not None:
            await self.on_acquire()
        self.out += 1
        return Permit(key, 0)

    def is_current(self, permit: Permit) -> bool:
        return self.current

    def give_back(self, permit: Permit) -> None:
        self.out -= 1

    async def throttled(self, permit: Permit, **_: Any) -> None:
        if self.on_throttled is not None:
            await self.on_throttled()


async def no_pause(_: float) -> None:
    """Return immediately."""
    await asyncio.sleep(0)


async def hang(*_: Any) -> Any:
    """Never return."""
    await asyncio.Event().wait()


async def read(client: AsyncTikTokShop, **options: Any) -> APIResponse[Any]:
    return await client.order.get_order_detail(ids=["1"], options=RequestOptions(**options))


async def write(client: AsyncTikTokShop, **options: Any) -> APIResponse[Any]:
    return await client.return_refund.cancel_order(
        order_id="1", cancel_reason="x", options=RequestOptions(**options)
    )


async def keyed_write(client: AsyncTikTokShop, **options: Any) -> APIResponse[Any]:
    return await client.return_refund.approve_return(
        return_id="1", decision="APPROVE_RETURN", options=RequestOptions(**options)
    )


async def settled(rounds: int = 20) -> None:
    """Run the event loop until no task can continue."""
    for _ in range(rounds):
        await asyncio.sleep(0)
