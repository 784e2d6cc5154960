"""Locks of a process by key, and waits for locks that end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from ...errors import TokenStoreError
from .failures import reported

T = TypeVar("T")

PAUSE = 0.05
"""Seconds between two attempts to get a lock that another process has."""
GRACE = 5.0
"""Seconds that a cancellation or a release waits for a database."""


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


async def until(attempt: Callable[[], Awaitable[bool]]) -> None:
    """Try until it succeeds; there is nothing to wait for, as it depends on other processes."""
    while not await attempt():  # noqa: ASYNC110
        await asyncio.sleep(PAUSE)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Let ``work`` end by itself; a cancellation of the caller is raised after that.

    Drivers that are cancelled half way leave connections open, or do not know what they did.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=GRACE)
        task.cancel()  # it hangs
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise
    return task.result()
