"""One authorization's place in a store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from ..errors import InvalidArgumentError, StaleVersionError
from .record import AuthorizationRecord
from .stores.base import NEVER_WRITTEN, TokenStore
from .token import NotPickled, Token


class Entry(NotPickled):
    """Reads and writes the record of one authorization; whoever writes holds its lock."""

    def __init__(self, store: TokenStore, app_key: str, open_id: str) -> None:
        self._store = store
        self._key = f"{app_key}/user/{open_id}"
        self._open_id = open_id

    def lock(self) -> AbstractAsyncContextManager[object]:
        """Keep all other tasks and processes out."""
        return self._store.lock(self._key)

    async def read(self) -> tuple[AuthorizationRecord, int]:
        """Return the record and its version."""
        stored = await self._store.get(self._key)
        if stored is None:
            raise InvalidArgumentError(
                f"the store has no authorization of {self._open_id}.",
                argument="open_id",
                hint="Exchange an authorization code, and give its token to Authorizations.add().",
            )
        return AuthorizationRecord.from_bytes(stored.value), stored.version

    async def write(self, record: AuthorizationRecord, version: int) -> int:
        """Write in place of a version, and return the new one."""
        return await self._store.put(self._key, record.to_bytes(), version=version)

    async def write_over(
        self, record: AuthorizationRecord, version: int, old: Token
    ) -> AuthorizationRecord:
        """Write in place of a record with the ``old`` token, and return what is kept then."""
        try:
            await self.write(record, version)
        except StaleVersionError:
            # The lock was lost meanwhile. Another token that is there by now is the newer one.
            there, version = await self.read()
            if there.token.refresh_token != old.refresh_token:
                return there
            await self.write(record, version)
        return record

    async def begin(self, record: AuthorizationRecord) -> None:
        """Write the first record, or one that replaces whatever was there."""
        async with self.lock():
            stored = await self._store.get(self._key)
            await self.write(record, NEVER_WRITTEN if stored is None else stored.version)

    async def change(
        self, change: Callable[[AuthorizationRecord], AuthorizationRecord]
    ) -> AuthorizationRecord:
        """Change what is there by now, and return it."""
        async with self.lock():
            record, version = await self.read()
            record = change(record)
            await self.write(record, version)
        return record
