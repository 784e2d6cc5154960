"""A token store in memory, for one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AbstractAsyncContextManager

from ..._internal.unpicklable import Unpicklable
from ...errors import StaleVersionError
from .base import NEVER_WRITTEN, StoredValue


class MemoryTokenStore(Unpicklable):
    """A token store in memory: tokens are lost when the process ends."""

    def __init__(self) -> None:
        self._values: dict[str, StoredValue] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def keys(self) -> list[str]:
        """Return all keys that have a value."""
        return list(self._values)

    async def get(self, key: str) -> StoredValue | None:
        """Return the value of a key, or None."""
        return self._values.get(key)

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Replace ``version`` of a value, and return the new version."""
        stored = self._values.get(key)
        if (stored.version if stored else NEVER_WRITTEN) != version:
            raise StaleVersionError(key)
        self._values[key] = StoredValue(value, version + 1)
        return version + 1

    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        """Return a lock that excludes all other tasks."""
        return self._locks[key]
