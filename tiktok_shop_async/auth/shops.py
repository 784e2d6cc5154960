"""From a shop's id or code to its cipher."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Literal

import attrs

from ..errors import InvalidArgumentError
from .authorization import Authorization
from .record import AuthorizedShop
from .single_flight import SingleFlight

Shops = Sequence[AuthorizedShop]
Fetch = Callable[[], Awaitable[Shops]]


class ShopDirectory:
    """The shops that an authorization covers; asked for once, however many want to know."""

    def __init__(self, authorization: Authorization | None) -> None:
        self._authorization = authorization
        self._known: Shops = ()
        self._asking = SingleFlight()

    async def find(self, field: Literal["id", "code"], value: str, fetch: Fetch) -> AuthorizedShop:
        """Return a shop; `InvalidArgumentError` if the authorization does not cover it."""
        if not self._known and self._authorization is not None:
            self._known = await self._authorization.shops()
        found = self._lookup(field, value)
        if found is None:
            await self._asking.run(partial(self._ask, fetch))  # it may have been added since
            found = self._lookup(field, value)
        if found is None:
            raise InvalidArgumentError(
                f"the authorization covers no shop with the {field} {value}.",
                argument=f"shop_{field}",
                hint=f"It covers {self._named(field)}.",
            )
        return found

    def _lookup(self, field: str, value: str) -> AuthorizedShop | None:
        return next((shop for shop in self._known if getattr(shop, field) == value), None)

    def _named(self, field: str) -> str:
        named = [f"{getattr(shop, field)} ({shop.name})" for shop in self._known]
        return ", ".join(named) or "none at all"

    async def _ask(self, fetch: Fetch) -> None:
        self._known = await fetch()
        if self._authorization is not None:
            await self._authorization.remember_shops(self._known)


@attrs.frozen
class ShopReference:
    """A shop by its id or code, to be looked up when a call needs its cipher."""

    field: Literal["id", "code"]
    value: str
    directory: ShopDirectory = attrs.field(repr=False)
    fetch: Fetch = attrs.field(repr=False)

    async def find(self) -> AuthorizedShop:
        """Look it up."""
        return await self.directory.find(self.field, self.value, self.fetch)
