"""From a shop's id or code to its cipher."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal, Protocol

import attrs

from .._internal.secret import problem_of
from ..errors import InvalidArgumentError, ResponseDecodeError
from .record import AuthorizedShop
from .single_flight import SingleFlight

Shops = Sequence[AuthorizedShop]
Fetch = Callable[[], Awaitable[Shops]]


class KeepsShops(Protocol):
    """An authorization, as far as it keeps its shops."""

    async def shops(self) -> Shops:
        """Return the shops that were found before."""
        ...

    async def remember_shops(self, shops: Shops) -> None:
        """Keep the shops that the authorization covers."""
        ...


class HasDirectory(Protocol):
    """An auth state, as far as its shops can be looked up."""

    @property
    def directory(self) -> ShopDirectory:
        """The shops that the authorization covers, as far as they were asked for."""
        ...


class ShopDirectory:
    """The shops that an authorization covers; asked for once, however many want to know."""

    def __init__(self, authorization: KeepsShops | None) -> None:
        self._authorization = authorization
        self._shops: Shops = ()
        self._asking = SingleFlight()

    async def find(self, field: Literal["id", "code"], value: str, fetch: Fetch) -> AuthorizedShop:
        """Return a shop; `InvalidArgumentError` if the authorization does not cover it."""
        found = _lookup(await self._known(), field, value)
        if found is None:
            await self._asking.run(partial(self._ask, fetch))  # it may have been added since
            found = _lookup(await self._known(), field, value)
        if found is None:
            named = [f"{getattr(shop, field)} ({shop.name})" for shop in await self._known()]
            raise InvalidArgumentError(
                f"the authorization covers no shop with the {field} {value}.",
                argument=f"shop_{field}",
                hint=f"It covers {', '.join(named) or 'none at all'}.",
            )
        return found

    async def _known(self) -> Shops:
        return self._shops if self._authorization is None else await self._authorization.shops()

    async def _ask(self, fetch: Fetch) -> None:
        self._shops = await fetch()
        if self._authorization is not None:
            await self._authorization.remember_shops(self._shops)


def _lookup(shops: Shops, field: str, value: str) -> AuthorizedShop | None:
    return next((shop for shop in shops if getattr(shop, field) == value), None)


@attrs.frozen
class ShopReference:
    """A shop by its id or code, to be looked up when a call needs its cipher."""

    field: Literal["id", "code"]
    value: str
    auth: HasDirectory = attrs.field(repr=False)
    """Of the authorization that covers it, whichever that is by then."""
    fetch: Fetch = attrs.field(repr=False)

    async def find(self) -> AuthorizedShop:
        """Look it up."""
        return await self.auth.directory.find(self.field, self.value, self.fetch)


def usable_shops(found: Sequence[Any]) -> list[AuthorizedShop]:
    """Return the shops of a response that have an id and a cipher; reject an invalid cipher."""
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
