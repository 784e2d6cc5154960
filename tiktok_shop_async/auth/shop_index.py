"""An index of shops by id, kept in the token store, since webhooks name only the shop."""

from __future__ import annotations

from .stores.base import NEVER_WRITTEN, TokenStore


class ShopIndex:
    """Maps the id of a shop to the open id of the authorization that covers it."""

    def __init__(self, store: TokenStore, app_key: str) -> None:
        self._store = store
        self._app_key = app_key

    async def find(self, shop_id: str) -> str | None:
        """Return the open id for a shop; None if the shop was never linked."""
        stored = await self._store.get(self._key(shop_id))
        return None if stored is None else stored.value.decode()

    async def link(self, shop_id: str, open_id: str) -> None:
        """Store the open id of a shop."""
        key = self._key(shop_id)
        async with self._store.lock(key):
            stored = await self._store.get(key)
            if stored is None or stored.value != open_id.encode():
                version = NEVER_WRITTEN if stored is None else stored.version
                await self._store.put(key, open_id.encode(), version=version)

    def _key(self, shop_id: str) -> str:
        return f"{self._app_key}/shop/{shop_id}"
