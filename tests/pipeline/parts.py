"""Response bodies that are received in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx


class Parts(httpx.AsyncByteStream):
    """A body that is received in parts, and that httpx has not decoded."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.taken = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.taken += 1
            yield part

    async def aclose(self) -> None:
        self.closed = True
