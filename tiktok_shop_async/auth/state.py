"""The credentials of one shop or partner, as they are in force now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from .._internal.secret import Secret
from .._internal.unpicklable import Unpicklable

if TYPE_CHECKING:
    from .authorization import Authorization
    from .shops import ShopDirectory, ShopReference
    from .token import Token


def _inherited(name: str, doc: str) -> property:
    """Return a property that falls back to the state it was derived from."""
    private = f"_{name}"

    def get(self: AuthState) -> str | None:
        value: str | None = getattr(self, private)
        another = name == "shop_cipher" and self._shop is not None  # not that of its base
        if value is None and self._base is not None and not another:
            value = getattr(self._base, name)
        return value

    def set_(self: AuthState, value: str | None) -> None:
        secret = Secret(value)
        del value  # tracebacks can show local variables
        setattr(self, private, secret.optional(name))

    return property(get, set_, doc=doc)


@attrs.define(kw_only=True, eq=False, slots=False, init=False)
class AuthState(Unpicklable):
    """Access token and ciphers; set them at any time, the next attempt signs with them.

    One state may serve many clients. Its values never show in ``repr``. A state that
    `Authorizations` gave refreshes its token by itself, unless one is set by hand.
    """

    _access_token: str | None = attrs.field(default=None, repr=False, alias="access_token")
    _shop_cipher: str | None = attrs.field(default=None, repr=False, alias="shop_cipher")
    _category_asset_cipher: str | None = attrs.field(
        default=None, repr=False, alias="category_asset_cipher"
    )
    _authorization: Authorization | None = attrs.field(default=None, alias="authorization")
    _shop: ShopReference | None = attrs.field(default=None, init=False)
    _base: AuthState | None = attrs.field(default=None, init=False, repr=False)
    _directory: ShopDirectory | None = attrs.field(default=None, init=False, repr=False)

    def __init__(
        self,
        *,
        access_token: str | None = None,
        shop_cipher: str | None = None,
        category_asset_cipher: str | None = None,
        authorization: Authorization | None = None,
    ) -> None:
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue] - attrs makes it
            access_token=access_token,
            shop_cipher=shop_cipher,
            category_asset_cipher=category_asset_cipher,
            authorization=authorization,
        )
        # Not by validators: a traceback would show the values in the frame of `__attrs_init__`.
        del access_token, shop_cipher, category_asset_cipher
        for name in ("access_token", "shop_cipher", "category_asset_cipher"):
            Secret(getattr(self, f"_{name}")).optional(name)

    shop_cipher = _inherited("shop_cipher", "Names the shop, for the operations that take it.")
    category_asset_cipher = _inherited(
        "category_asset_cipher", "Names a partner's category asset, for the few that take it."
    )

    @property
    def access_token(self) -> str | None:
        """Lives seven days by default; None where one is still to be read from a store."""
        if self._access_token is not None:
            return self._access_token
        if self._authorization is not None:
            token = self._authorization.token
            return None if token is None else token.access_token
        return None if self._base is None else self._base.access_token

    @access_token.setter
    def access_token(self, value: str | None) -> None:
        secret = Secret(value)
        del value  # tracebacks can show local variables
        self._access_token = secret.optional("access_token")

    @property
    def authorization(self) -> Authorization | None:
        """What keeps the access token fresh; None for one that was set by hand."""
        if self._access_token is not None:
            return None
        if self._authorization is not None or self._base is None:
            return self._authorization
        return self._base.authorization

    @property
    def renewable_token(self) -> Token | None:
        """The token of the authorization; None for one that was set by hand."""
        authorization = self.authorization
        return None if authorization is None else authorization.token

    @property
    def names_shop(self) -> bool:
        """Whether a shop's cipher is there, or will be found."""
        return self.shop_cipher is not None or self._shop is not None

    @property
    def directory(self) -> ShopDirectory:
        """The shops that the authorization covers, as far as they were asked for."""
        if self.authorization is not None:
            return self.authorization.directory
        if self._directory is None:
            from .shops import ShopDirectory

            self._directory = ShopDirectory(None)
        return self._directory

    def for_shop(
        self, shop_cipher: str | None = None, shop: ShopReference | None = None
    ) -> AuthState:
        """Return the state of another shop under the same authorization.

        It goes on following the token of this one.
        """
        cipher = Secret(shop_cipher)
        del shop_cipher  # tracebacks can show local variables
        derived = AuthState(shop_cipher=cipher.optional("shop_cipher"))
        derived._shop = shop
        derived._base = self
        return derived

    def is_ready(self, cipher: str | None) -> bool:
        """Whether a call with such a ``cipher`` can be signed now, with nothing to wait for."""
        authorization = self.authorization
        return (authorization is None or authorization.ready) and not self._lacks(cipher)

    async def prepare(self, cipher: str | None) -> None:
        """Get what `is_ready` misses: a fresh token, the shop's cipher."""
        authorization = self.authorization
        if authorization is not None:
            await authorization.prepare()
        if self._shop is not None and self._lacks(cipher):
            found = await self._shop.find()
            if self._shop_cipher is None:  # nor was one set by hand meanwhile
                self._shop_cipher = found.cipher

    async def renew(self, rejected: Token, *, is_expired: bool) -> bool:
        """Return whether the authorization has another token now than the ``rejected`` one."""
        authorization = self.authorization
        if authorization is None:  # one was set by hand meanwhile
            return False
        if is_expired:
            await authorization.replace(rejected)
        else:
            await authorization.look_again(rejected)
        return authorization.token != rejected

    def _lacks(self, cipher: str | None) -> bool:
        return self._shop is not None and self._shop_cipher is None and cipher == "shop_cipher"

    def rate_limit_scope(self, cipher: str | None) -> str:
        """Return what names the shop, or else the authorization, whose calls are counted."""
        if cipher is not None:
            return getattr(self, cipher) or ""
        authorization = self.authorization
        return (self.access_token or "") if authorization is None else authorization.open_id

    def secrets(self) -> Iterator[str]:
        """Yield the values that must not be shown."""
        for value in (self.access_token, self.shop_cipher, self.category_asset_cipher):
            if value:
                yield value
