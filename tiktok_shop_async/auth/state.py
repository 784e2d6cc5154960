"""The credentials of one shop or partner, as they are in force now."""

from __future__ import annotations

from collections.abc import Iterator

import attrs


def _inherited(name: str, doc: str) -> property:
    """Return a property that falls back to the state it was derived from."""
    private = f"_{name}"

    def get(self: AuthState) -> str | None:
        value: str | None = getattr(self, private)
        if value is None and self._base is not None:
            value = getattr(self._base, name)
        return value

    def set_(self: AuthState, value: str | None) -> None:
        setattr(self, private, value)

    return property(get, set_, doc=doc)


@attrs.define(kw_only=True, eq=False)
class AuthState:
    """Access token and ciphers; set them at any time, the next attempt signs with them.

    One state may serve many clients. Its values never show in ``repr``.
    """

    _access_token: str | None = attrs.field(default=None, repr=False, alias="access_token")
    _shop_cipher: str | None = attrs.field(default=None, repr=False, alias="shop_cipher")
    _category_asset_cipher: str | None = attrs.field(
        default=None, repr=False, alias="category_asset_cipher"
    )
    _base: AuthState | None = attrs.field(default=None, init=False, repr=False)

    access_token = _inherited("access_token", "Lives seven days by default.")
    shop_cipher = _inherited("shop_cipher", "Names the shop, for the operations that take it.")
    category_asset_cipher = _inherited(
        "category_asset_cipher", "Names a partner's category asset, for the few that take it."
    )

    def for_shop(self, shop_cipher: str | None) -> AuthState:
        """Return the state of another shop under the same authorization.

        It goes on following the token of this one.
        """
        derived = AuthState(shop_cipher=shop_cipher)
        derived._base = self
        return derived

    def secrets(self) -> Iterator[str]:
        """Yield the values that must not be shown."""
        for value in (self.access_token, self.shop_cipher, self.category_asset_cipher):
            if value:
                yield value
