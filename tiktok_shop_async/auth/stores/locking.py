"""Locks by key within a process, and locking with a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from ...errors import TokenStoreError
from .errors import wrap_store_errors


class KeyedLocks:
    """One `asyncio.Lock` per key, kept while a task holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __getitem__(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


@asynccontextmanager
async def hold(
    store: object, key: str, *locks: AbstractAsyncContextManager[object], max_wait: float
) -> AsyncIterator[None]:
    """Acquire all ``locks`` in this order; raise `TokenStoreError` after ``max_wait`` seconds."""
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout(max_wait):
                with wrap_store_errors(store, f"locking {key}"):
                    for lock in locks:
                        await held.enter_async_context(lock)
        except TimeoutError as error:
            raise TokenStoreError(
                f"{store}: the lock of {key} was not free within {max_wait:g} seconds.",
                hint="Its holder may be slow; call again.",
            ) from error
        yield
