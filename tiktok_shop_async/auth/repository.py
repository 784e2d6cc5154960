"""The stored record of one authorization."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from .._internal.unpicklable import Unpicklable
from ..errors import InvalidArgumentError, StaleVersionError, TokenStoreError
from .events import logger
from .record import AuthorizationRecord
from .stores.base import NEVER_WRITTEN, TokenStore
from .stores.errors import wrap_store_errors

Change: TypeAlias = Callable[[AuthorizationRecord], AuthorizationRecord]


class AuthorizationRepository(Unpicklable):
    """The repository of one authorization's record; writers hold its lock.

    An exception that a store raises against its protocol becomes a `TokenStoreError`.
    """

    def __init__(self, store: TokenStore, app_key: str, open_id: str) -> None:
        self._store = store
        self._key = f"{app_key}/user/{open_id}"
        self._open_id = open_id

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the lock of the record; an error of its release is only logged."""
        with wrap_store_errors(self._store, f"locking {self._key}"):
            lock = self._store.lock(self._key)
            await lock.__aenter__()
        try:
            yield
        finally:
            try:
                with wrap_store_errors(self._store, f"unlocking {self._key}"):
                    await lock.__aexit__(None, None, None)
            except TokenStoreError as error:
                logger.warning("%s", error)

    async def read(self) -> tuple[AuthorizationRecord, int]:
        """Return the record and its version."""
        with wrap_store_errors(self._store, f"reading {self._key}"):
            stored = await self._store.get(self._key)
        if stored is None:
            raise InvalidArgumentError(
                f"the store has no authorization for {self._open_id}.",
                argument="open_id",
                hint="Exchange an authorization code, and pass its token to Authorizations.add().",
            )
        return AuthorizationRecord.from_bytes(stored.value), stored.version

    async def write(self, record: AuthorizationRecord, version: int) -> int:
        """Replace a version of the record, and return the new version."""
        with wrap_store_errors(self._store, f"writing {self._key}"):
            return await self._store.put(self._key, record.to_bytes(), version=version)

    async def overwrite(self, record: AuthorizationRecord) -> None:
        """Replace any version of the record, even one that cannot be read."""
        with wrap_store_errors(self._store, f"reading {self._key}"):
            stored = await self._store.get(self._key)
        await self.write(record, NEVER_WRITTEN if stored is None else stored.version)

    async def change(
        self, stored: AuthorizationRecord, version: int, change: Change
    ) -> AuthorizationRecord:
        """Change the stored record, or the one that replaced it meanwhile, and return it."""
        try:
            return await self._write_changed(stored, version, change)
        except StaleVersionError:  # the lock was lost
            return await self._write_changed(*await self.read(), change)

    async def _write_changed(
        self, stored: AuthorizationRecord, version: int, change: Change
    ) -> AuthorizationRecord:
        changed = change(stored)
        if changed is not stored:
            await self.write(changed, version)
        return changed
