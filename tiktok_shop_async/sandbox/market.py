"""Who may call, and for which shops: apps, access tokens, and the shops themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum

import attrs

from ..verification import SignatureVerifier
from .shop import Shop


class UserType(IntEnum):
    """Whose authorization a token stands for."""

    SELLER = 0
    CREATOR = 1
    PARTNER = 3


@attrs.frozen
class App:
    """A developer's app."""

    key: str
    secret: str = attrs.field(repr=False)
    verifier: SignatureVerifier = attrs.field(
        init=False,
        repr=False,
        eq=False,
        default=attrs.Factory(lambda app: SignatureVerifier(app.secret), takes_self=True),
    )


@attrs.frozen(kw_only=True)
class AccessToken:
    """What a user granted to an app."""

    value: str = attrs.field(repr=False)
    app_key: str
    user_type: UserType = UserType.SELLER
    expires_at: float = float("inf")
    shop_ciphers: frozenset[str] = frozenset()


class Market:
    """All apps, tokens and shops that one sandbox knows."""

    def __init__(
        self,
        apps: Iterable[App],
        tokens: Iterable[AccessToken],
        shops: Iterable[Shop],
        *,
        remake: Callable[[], Market] | None = None,
    ) -> None:
        self._remake = remake
        self.apps = {app.key: app for app in apps}
        self.tokens = {token.value: token for token in tokens}
        self.shops = {shop.cipher: shop for shop in shops}

    def shops_of(self, token: AccessToken) -> list[Shop]:
        """Return the shops that a token's authorization covers."""
        return [shop for cipher, shop in self.shops.items() if cipher in token.shop_ciphers]

    def reset(self) -> None:
        """Return to the beginning; `LookupError` if this market does not know how to."""
        if self._remake is None:
            raise LookupError("the market was made by hand, so it cannot be made again")
        vars(self).update(vars(self._remake()))
