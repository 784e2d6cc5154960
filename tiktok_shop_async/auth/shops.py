"""The shops of authorizations: their ciphers by id or code, and their authorizations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal, Protocol

import attrs

from .._internal.secret import problem_of
from ..errors import InvalidArgumentError, ResponseDecodeError
from .record import AuthorizedShop
from .single_flight import SingleFlight
from .stores.base import NEVER_WRITTEN, TokenStore

Shops = Sequence[AuthorizedShop]
Fetch = Callable[[], Awaitable[Shops]]


class ShopStore(Protocol):
    """A store for the shops of an authorization; `Authorization` is one."""

    async def shops(self) -> Shops:
        """Return the stored shops."""
        ...

    async def store_shops(self, shops: Shops) -> None:
        """Store the shops that the authorization covers."""
        ...


class HasDirectory(Protocol):
    """An auth state whose shops can be looked up."""

    @property
    def directory(self) -> ShopDirectory:
        """The directory of the shops that the authorization covers."""
        ...


class ShopDirectory:
    """The shops that an authorization covers; concurrent look-ups share one request."""

    def __init__(self, store: ShopStore | None) -> None:
        self._store = store
        self._shops: Shops = ()
        self._fetching = SingleFlight()

    async def find(self, field: Literal["id", "code"], value: str, fetch: Fetch) -> AuthorizedShop:
        """Return a shop; raise `InvalidArgumentError` if the authorization does not cover it."""
        found = _lookup(await self._stored_shops(), field, value)
        if found is None:
            await self._fetching.run(partial(self._refetch, fetch))  # it may have been added since
            found = _lookup(await self._stored_shops(), field, value)
        if found is None:
            covered = await self._stored_shops()
            names = [f"{getattr(shop, field)} ({shop.name})" for shop in covered]
            raise InvalidArgumentError(
                f"the authorization covers no shop with the {field} {value}.",
                argument=f"shop_{field}",
                hint=f"It covers {', '.join(names) or 'no shops'}.",
            )
        return found

    async def _stored_shops(self) -> Shops:
        return self._shops if self._store is None else await self._store.shops()

    async def _refetch(self, fetch: Fetch) -> None:
        self._shops = await fetch()
        if self._store is not None:
            await self._store.store_shops(self._shops)


def _lookup(shops: Shops, field: str, value: str) -> AuthorizedShop | None:
    return next((shop for shop in shops if getattr(shop, field) == value), None)


@attrs.frozen
class ShopReference:
    """A shop by its id or code, which is looked up when a call needs its cipher."""

    field: Literal["id", "code"]
    value: str
    auth: HasDirectory = attrs.field(repr=False)
    """The auth state whose directory is used; its authorization may change until then."""
    fetch: Fetch = attrs.field(repr=False)

    async def find(self) -> AuthorizedShop:
        """Look the shop up."""
        return await self.auth.directory.find(self.field, self.value, self.fetch)


def usable_shops(found: Sequence[Any]) -> list[AuthorizedShop]:
    """Return the shops of a response that have an id and a cipher; reject invalid ciphers."""
    usable = [shop for shop in found if shop.id and shop.cipher]
    problems = [problem for shop in usable if (problem := problem_of(shop.cipher))]
    if problems:
        del found, usable  # tracebacks can show local variables
        raise ResponseDecodeError(
            f"the service returned a shop_cipher that {problems[0]}.",
            operation="authorization.get_authorized_shops",
        )
    return [
        AuthorizedShop(
            id=shop.id or "",
            cipher=shop.cipher or "",
            code=shop.code or "",
            name=shop.name or "",
            region=shop.region or "",
            seller_type=shop.seller_type or "",
        )
        for shop in usable
    ]


class ShopIndex:
    """An index from the id of a shop, which is all that webhooks name, to its open id."""

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
