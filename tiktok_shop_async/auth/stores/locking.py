"""Locks of a process by key, and waits for locks that end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from ...errors import TokenStoreError
from .failures import reported


class KeyedLocks:
    """One `asyncio.Lock` for each key, as long as somebody has it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __getitem__(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


@asynccontextmanager
async def hold(
    store: object, key: str, *locks: AbstractAsyncContextManager[object], patience: float
) -> AsyncIterator[None]:
    """Hold all ``locks``, taken in this order; `TokenStoreError` if that takes more seconds."""
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout(patience):
                with reported(store, f"locking {key}"):
                    for lock in locks:
                        await held.enter_async_context(lock)
        except TimeoutError as error:
            raise TokenStoreError(
                f"{store}: the lock of {key} was not free within {patience:g} seconds.",
                hint="Whoever has it may be slow; call again.",
            ) from error
        yield
