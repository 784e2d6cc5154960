"""The credentials of one shop or partner."""

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


@attrs.define(kw_only=True, eq=False, slots=False, init=False)
class AuthState(Unpicklable):
    """An access token and ciphers; they can be set at any time, and apply to the next attempt.

    Several clients may share one state. Its ``repr`` does not show the values. A state from
    `Authorizations` refreshes its token automatically, unless one is set by hand.
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

    @property
    def shop_cipher(self) -> str | None:
        """The cipher of the shop."""
        # A shop that is still to be looked up does not have the cipher of the base.
        if self._shop_cipher is not None or self._shop is not None or self._base is None:
            return self._shop_cipher
        return self._base.shop_cipher

    @shop_cipher.setter
    def shop_cipher(self, value: str | None) -> None:
        secret = Secret(value)
        del value  # tracebacks can show local variables
        self._shop_cipher = secret.optional("shop_cipher")

    @property
    def category_asset_cipher(self) -> str | None:
        """The cipher of a partner's category asset."""
        if self._category_asset_cipher is not None or self._base is None:
            return self._category_asset_cipher
        return self._base.category_asset_cipher

    @category_asset_cipher.setter
    def category_asset_cipher(self, value: str | None) -> None:
        secret = Secret(value)
        del value  # tracebacks can show local variables
        self._category_asset_cipher = secret.optional("category_asset_cipher")

    @property
    def access_token(self) -> str | None:
        """The access token, valid for seven days by default; None if it was not loaded yet."""
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
        """The authorization that refreshes the token; None for a token that was set by hand."""
        if self._access_token is not None:
            return None
        if self._authorization is not None or self._base is None:
            return self._authorization
        return self._base.authorization

    @property
    def renewable_token(self) -> Token | None:
        """The token of the authorization; None for a token that was set by hand."""
        authorization = self.authorization
        return None if authorization is None else authorization.token

    @property
    def names_shop(self) -> bool:
        """True if a shop's cipher is known or can be looked up."""
        return self.shop_cipher is not None or self._shop is not None

    @property
    def directory(self) -> ShopDirectory:
        """The directory of the shops that the authorization covers."""
        if self.authorization is not None:
            return self.authorization.directory
        if self._directory is None:
            from .shops import ShopDirectory

            self._directory = ShopDirectory(None)
        return self._directory

    def for_shop(
        self, shop_cipher: str | None = None, shop: ShopReference | None = None
    ) -> AuthState:
        """Return the state of another shop, which keeps using the token of this state."""
        cipher = Secret(shop_cipher)
        del shop_cipher  # tracebacks can show local variables
        derived = AuthState(shop_cipher=cipher.optional("shop_cipher"))
        derived._shop = shop
        derived._base = self
        return derived

    def is_ready(self, cipher: str | None) -> bool:
        """Return whether a call that needs ``cipher`` can be signed now without waiting."""
        authorization = self.authorization
        return (authorization is None or authorization.ready) and not self._lacks(cipher)

    async def prepare(self, cipher: str | None) -> None:
        """Get what `is_ready` lacks: a fresh token, the shop's cipher."""
        authorization = self.authorization
        if authorization is not None:
            await authorization.prepare()
        if self._shop is not None and self._lacks(cipher):
            found = await self._shop.find()
            if self._shop_cipher is None:  # it may have been set by hand meanwhile
                self._shop_cipher = found.cipher

    async def renew(self, rejected: Token, *, is_expired: bool) -> bool:
        """Try to replace the ``rejected`` token; return whether another one is in force now."""
        authorization = self.authorization
        if authorization is None:  # a token was set by hand meanwhile
            return False
        if is_expired:
            await authorization.replace(rejected)
        else:
            await authorization.reload(rejected)
        return authorization.token != rejected

    def _lacks(self, cipher: str | None) -> bool:
        return self._shop is not None and self._shop_cipher is None and cipher == "shop_cipher"

    def rate_limit_scope(self, cipher: str | None) -> str:
        """Return the identity whose calls a limiter counts: the shop or the authorization."""
        if cipher is not None:
            return getattr(self, cipher) or ""
        authorization = self.authorization
        return (self.access_token or "") if authorization is None else authorization.open_id

    def secrets(self) -> Iterator[str]:
        """Yield the values to redact."""
        for value in (self.access_token, self.shop_cipher, self.category_asset_cipher):
            if value:
                yield value
