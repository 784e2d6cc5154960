"""Who may call, and for which shops: apps, access tokens, and the shops themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from ...spec.signature_verifier import SignatureVerifier
from .access_tokens import AccessToken, TokenRules, UserType
from .events import (
    SELLER_DEAUTHORIZATION,
    UPCOMING_AUTHORIZATION_EXPIRATION,
    Event,
    ignore,
)
from .grants import Grants
from .shop import Shop
from .subscriptions import Subscriptions

__all__ = ["AccessToken", "App", "Market", "TokenRules", "UserType"]


@attrs.frozen
class App:
    """A developer's app."""

    key: str
    secret: str = attrs.field(repr=False)
    service_id: str = ""
    redirect_url: str = ""
    """Where a user is sent who approved or denied; the query is added."""
    name: str = "Sandbox App"
    verifier: SignatureVerifier = attrs.field(
        init=False,
        repr=False,
        eq=False,
        default=attrs.Factory(lambda app: SignatureVerifier(app.secret), takes_self=True),
    )


class Market:
    """All apps, tokens and shops that one sandbox knows."""

    def __init__(
        self,
        apps: Iterable[App],
        tokens: Iterable[AccessToken],
        shops: Iterable[Shop],
        *,
        seed: int = 0,
        token_rules: TokenRules | None = None,
        remake: Callable[[], Market] | None = None,
    ) -> None:
        self._remake = remake
        self.seed = seed
        """Decides what made-up answers say."""
        self.apps = {app.key: app for app in apps}
        self.tokens = {token.value: token for token in tokens}
        self.shops = {shop.cipher: shop for shop in shops}
        self.grants = Grants(self.tokens, token_rules or TokenRules())
        self.subscriptions = Subscriptions()
        self.on_change: Callable[[Event], object] = ignore
        """Hears of what concerns an authorization; each shop has such a hook for itself."""

    @property
    def refreshes(self) -> int:
        """How many refreshes were granted: one, where tasks and processes do not race."""
        return self.grants.refreshes

    def secrets(self) -> tuple[str, ...]:
        """Return the values that only the console's page of credentials shows."""
        app_secrets = (app.secret for app in self.apps.values())
        return (*app_secrets, *self.tokens, *self.grants.secrets(), *self.shops)

    def shops_of(self, token: AccessToken) -> list[Shop]:
        """Return the shops that a token's authorization covers."""
        return [shop for cipher, shop in self.shops.items() if cipher in token.shop_ciphers]

    def settle(self, now: float) -> None:
        """Do what is due in all shops, and announce which authorizations end soon (webhook 7)."""
        for shop in self.shops.values():
            shop.settle()
        for grant, end in self.grants.expiring(now):
            data = {
                "message": "The authorization expires soon.",
                "expiration_time": str(int(end)),
            }
            for cipher, shop in self.shops.items():
                if cipher in grant.shop_ciphers:
                    event = Event(UPCOMING_AUTHORIZATION_EXPIRATION, shop.id, data, grant.app_key)
                    self.on_change(event)

    def reset(self) -> None:
        """Return to the beginning; `LookupError` if this market does not know how to."""
        if self._remake is None:
            raise LookupError("the market was made by hand, so it cannot be made again")
        vars(self).update(vars(self._remake()))

    def revoke(self, access_token: str) -> None:
        """Withdraw the authorization that a token belongs to, as its user would.

        All its tokens are unknown from then on, and its shops announce it (webhook 6).
        """
        token = self.tokens[access_token]
        self.grants.revoke(token)
        for shop in self.shops_of(token):
            message = {"message": "The seller withdrew the authorization."}
            self.on_change(Event(SELLER_DEAUTHORIZATION, shop.id, message, token.app_key))
