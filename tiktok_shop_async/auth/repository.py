"""One authorization's place in a store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from .._internal.unpicklable import Unpicklable
from ..errors import InvalidArgumentError, StaleVersionError, TokenStoreError
from .events import logger
from .record import AuthorizationRecord
from .stores.base import NEVER_WRITTEN, TokenStore
from .stores.failures import reported

Change: TypeAlias = Callable[[AuthorizationRecord], AuthorizationRecord]


class AuthorizationRepository(Unpicklable):
    """Reads and writes the record of one authorization; whoever writes holds its lock.

    Whatever a store raises against its protocol is a `TokenStoreError` here.
    """

    def __init__(self, store: TokenStore, app_key: str, open_id: str) -> None:
        self._store = store
        self._key = f"{app_key}/user/{open_id}"
        self._open_id = open_id

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Keep all other tasks and processes out.

        What was done in the block is done, even where the lock cannot be given back.
        """
        with reported(self._store, f"locking {self._key}"):
            lock = self._store.lock(self._key)
            await lock.__aenter__()
        try:
            yield
        finally:
            try:
                with reported(self._store, f"unlocking {self._key}"):
                    await lock.__aexit__(None, None, None)
            except TokenStoreError as error:
                logger.warning("%s", error)

    async def read(self) -> tuple[AuthorizationRecord, int]:
        """Return the record and its version."""
        with reported(self._store, f"reading {self._key}"):
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
        with reported(self._store, f"writing {self._key}"):
            return await self._store.put(self._key, record.to_bytes(), version=version)

    async def write_over(self, record: AuthorizationRecord) -> None:
        """Write in place of whatever is there, readable or not."""
        with reported(self._store, f"reading {self._key}"):
            stored = await self._store.get(self._key)
        await self.write(record, NEVER_WRITTEN if stored is None else stored.version)

    async def change(
        self, there: AuthorizationRecord, version: int, change: Change
    ) -> AuthorizationRecord:
        """Change what is ``there``, or what somebody else wrote in its place, and return it."""
        try:
            return await self._write_changed(there, version, change)
        except StaleVersionError:  # the lock was lost meanwhile
            return await self._write_changed(*await self.read(), change)

    async def _write_changed(
        self, there: AuthorizationRecord, version: int, change: Change
    ) -> AuthorizationRecord:
        changed = change(there)
        if changed is not there:
            await self.write(changed, version)
        return changed
