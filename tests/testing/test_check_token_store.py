"""Conformance test of token stores: it finds each fault, and names the rule."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

import pytest

from tiktok_shop_async.auth import MemoryTokenStore, StoredValue, TokenStore
from tiktok_shop_async.testing import check_token_store


class OverwritesAtFirst(MemoryTokenStore):
    async def put(self, key: str, value: bytes, *, version: int) -> int:
        if version == 0:
            self._values.pop(key, None)
        return await super().put(key, value, version=version)


class OverwritesLater(MemoryTokenStore):
    async def put(self, key: str, value: bytes, *, version: int) -> int:
        stored = self._values.get(key)
        version = stored.version if stored and version else version
        return await super().put(key, value, version=version)


class ChecksBeforeWriting(MemoryTokenStore):
    async def put(self, key: str, value: bytes, *, version: int) -> int:
        is_current = version == (self._values[key].version if key in self._values else 0)
        await asyncio.sleep(0)
        if is_current:
            self._values[key] = StoredValue(value, version + 1)
            return version + 1
        return await super().put(key, value, version=version)


class IgnoresStaleVersions(MemoryTokenStore):
    async def put(self, key: str, value: bytes, *, version: int) -> int:
        stored = self._values.get(key)
        if (stored.version if stored else 0) != version:
            return version
        return await super().put(key, value, version=version)


class CutsValues(MemoryTokenStore):
    async def put(self, key: str, value: bytes, *, version: int) -> int:
        return await super().put(key, value[:65535], version=version)


class ReturnsText(MemoryTokenStore):
    async def get(self, key: str) -> Any:
        stored = await super().get(key)
        return stored and StoredValue(stored.value.decode(), stored.version)  # type: ignore[arg-type]


class IgnoresCapitals(MemoryTokenStore):
    async def get(self, key: str) -> StoredValue | None:
        return await super().get(key.lower())

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        return await super().put(key.lower(), value, version=version)


class LocksNothing(MemoryTokenStore):
    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        return nullcontext()


class LocksAll(MemoryTokenStore):
    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        return super().lock("all")


class KeepsLockOfFailedBlock(MemoryTokenStore):
    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator[None]:
        await self._locks[key].acquire()
        try:
            yield
        except asyncio.CancelledError:
            self._locks[key].release()
            raise
        self._locks[key].release()

    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        return self._lock(key)


class KeepsLockOnCancellation(KeepsLockOfFailedBlock):
    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator[None]:
        await self._locks[key].acquire()
        try:
            yield
        except Exception:
            self._locks[key].release()
            raise
        self._locks[key].release()


class KeepsLockOfCancelledWaiter(KeepsLockOfFailedBlock):
    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator[None]:
        await asyncio.shield(asyncio.ensure_future(self._locks[key].acquire()))
        try:
            yield
        finally:
            self._locks[key].release()


class KeepsLockOfCancelledEntry(KeepsLockOfFailedBlock):
    """As with a network: the response is on its way when the task is cancelled."""

    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator[None]:
        while self._locks[key].locked():  # noqa: ASYNC110
            await asyncio.sleep(0)
        await self._locks[key].acquire()
        await asyncio.sleep(0.002)
        try:
            yield
        finally:
            self._locks[key].release()


class HidesCancellation(KeepsLockOfFailedBlock):
    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator[None]:
        try:
            async with self._locks[key]:
                yield
        except asyncio.CancelledError:
            raise TimeoutError from None


class PutsUnderLock(MemoryTokenStore):
    async def put(self, key: str, value: bytes, *, version: int) -> int:
        holder = self._locks[key]
        if holder.locked() and key.endswith("/held"):
            await holder.acquire()
        return await super().put(key, value, version=version)


class ShowsAll(MemoryTokenStore):
    def __repr__(self) -> str:
        return str([stored.value for stored in self._values.values()])


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (OverwritesAtFirst, "version 0 means that nothing was put yet"),
        (OverwritesLater, "put of version 1 must raise StaleVersionError: this version was re"),
        (ChecksBeforeWriting, "exactly one must succeed"),
        (IgnoresStaleVersions, "put of version 3 must raise StaleVersionError"),
        (CutsValues, "get must return the value of 65536 bytes as it was put"),
        (ReturnsText, "must return the value as bytes"),
        (IgnoresCapitals, "must be distinct from similar keys"),
        (LocksNothing, "only one task at a time may hold the lock of a key"),
        (LocksAll, "the lock of one key must not block other keys"),
        (KeepsLockOfFailedBlock, "must be free after its block raised an exception"),
        (KeepsLockOnCancellation, "must be free after its holder was cancelled"),
        (KeepsLockOfCancelledWaiter, "must be free after a task that waited for it was cancelled"),
        (KeepsLockOfCancelledEntry, "must be free after a task that requested it"),
        (HidesCancellation, "must end with CancelledError"),
        (PutsUnderLock, "put must not wait for a lock"),
        (ShowsAll, "the repr of a store must not show stored values"),
    ],
)
async def test_a_fault_is_found_and_explained(kind: type[TokenStore], rule: str) -> None:
    store = kind()
    with pytest.raises(AssertionError, match=re.escape(rule)):
        await check_token_store(lambda: store, timeout=0.2)


async def test_stores_of_different_data_are_found() -> None:
    with pytest.raises(AssertionError, match="get must return a StoredValue for a key that was"):
        await check_token_store(MemoryTokenStore)


async def test_a_store_that_is_opened_is_closed() -> None:
    store, events = MemoryTokenStore(), []

    @asynccontextmanager
    async def opened() -> AsyncIterator[TokenStore]:
        events.append("open")
        yield store
        events.append("closed")

    await check_token_store(opened)
    assert events == ["open", "open", "closed", "closed"]
