"""Which seller a shop belongs to: webhooks name the shop alone."""

from __future__ import annotations

from .stores.base import NEVER_WRITTEN, TokenStore


class ShopOwners:
    """From a shop's id to the open id of the authorization that covers it, kept in the store."""

    def __init__(self, store: TokenStore, app_key: str) -> None:
        self._store = store
        self._app_key = app_key

    async def find(self, shop_id: str) -> str | None:
        """Return the open id; None if the shop was never linked."""
        stored = await self._store.get(self._key(shop_id))
        return None if stored is None else stored.value.decode()

    async def link(self, shop_id: str, open_id: str) -> None:
        """Remember whose a shop is."""
        key = self._key(shop_id)
        async with self._store.lock(key):
            stored = await self._store.get(key)
            if stored is None or stored.value != open_id.encode():
                version = NEVER_WRITTEN if stored is None else stored.version
                await self._store.put(key, open_id.encode(), version=version)

    def _key(self, shop_id: str) -> str:
        return f"{self._app_key}/shop/{shop_id}"
