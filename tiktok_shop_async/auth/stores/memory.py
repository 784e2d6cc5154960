"""A token store in memory: for one process, and gone with it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AbstractAsyncContextManager

from ..._internal.unpicklable import Unpicklable
from ...errors import StaleVersionError
from .base import NEVER_WRITTEN, StoredValue


class MemoryTokenStore(Unpicklable):
    """Keeps tokens as long as the process lives; the next one has to authorize again."""

    def __init__(self) -> None:
        self._values: dict[str, StoredValue] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def keys(self) -> list[str]:
        """Return all keys that something was written to."""
        return list(self._values)

    async def get(self, key: str) -> StoredValue | None:
        """Return what was written last, or None."""
        return self._values.get(key)

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Write in place of ``version``, and return the new one."""
        stored = self._values.get(key)
        if (stored.version if stored else NEVER_WRITTEN) != version:
            raise StaleVersionError(key)
        self._values[key] = StoredValue(value, version + 1)
        return version + 1

    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        """Keep all other tasks out."""
        return self._locks[key]
