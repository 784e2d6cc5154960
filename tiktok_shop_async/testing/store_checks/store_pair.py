"""Two stores of the same data, with the steps that rules have in common."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable
from typing import Any, TypeVar

from ...auth.stores.base import StoredValue, TokenStore

T = TypeVar("T")


class StorePair:
    """Two stores of the same data; a violated rule is an `AssertionError`."""

    def __init__(self, one: TokenStore, other: TokenStore, timeout: float) -> None:
        self.one = one
        self.other = other
        self._timeout = timeout
        self._run_id = f"check-{uuid.uuid4()}"

    def key(self, name: str) -> str:
        """Return a key that no other run of the check uses."""
        return f"{self._run_id}/{name}"

    def store(self, number: int) -> TokenStore:
        """Return the stores in turn."""
        return self.other if number % 2 else self.one

    async def get(self, store: TokenStore, key: str) -> StoredValue:
        """Return what is stored for a key that was put."""
        stored: Any = await store.get(key)
        require(
            isinstance(stored, StoredValue),
            f"get must return a StoredValue for a key that was put, not {type(stored).__name__}.",
        )
        assert isinstance(stored, StoredValue)
        require(type(stored.value) is bytes, "get must return the value as bytes.")
        return stored

    async def expect(self, key: str, value: bytes, version: int) -> None:
        """Require that both stores return a value and its version."""
        for store in (self.one, self.other):
            stored = await self.get(store, key)
            require(
                stored.value == value,
                f"get must return the value of {len(value)} bytes as it was put, from all stores "
                f"of the same data; it returned {len(stored.value)} bytes.",
            )
            require(
                stored.version == version,
                f"get must return the version that put returned, {version}, not {stored.version}.",
            )

    async def expect_free(self, key: str, rule: str) -> None:
        """Require that both stores can take the lock of a key."""
        for store in (self.one, self.other):
            await self.take_lock(store, key, rule)

    async def take_lock(self, store: TokenStore, key: str, rule: str) -> None:
        """Require that the lock of a key can be taken, and release it."""

        async def enter() -> None:
            async with store.lock(key):
                pass

        await self.finish_in_time(enter(), rule)

    async def cancel(self, task: asyncio.Task[None]) -> None:
        """Cancel a task that uses a lock, and require that it ends as cancelled."""
        task.cancel()
        await self.finish_in_time(
            asyncio.wait([task]), "a task that is cancelled while it waits for a lock must end."
        )
        if not task.cancelled():
            raise AssertionError(
                "a task that is cancelled while it waits for a lock must end with CancelledError."
            ) from task.exception()

    async def finish_in_time(self, work: Awaitable[T], rule: str) -> T:
        """Return the result of ``work``, or fail with ``rule`` after the timeout."""
        try:
            return await asyncio.wait_for(work, self._timeout)
        except TimeoutError as error:
            raise AssertionError(rule) from error


def require(holds: bool, rule: str) -> None:
    """Raise `AssertionError` with the rule unless it holds."""
    if not holds:
        raise AssertionError(rule)
