"""A market: apps, access tokens and shops."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from ...spec.signature_verifier import SignatureVerifier
from .access_tokens import AccessToken, TokenRules, UserType
from .grants import Grants
from .shop import Shop
from .shop_events import SELLER_DEAUTHORIZATION, UPCOMING_AUTHORIZATION_EXPIRATION, Event, ignore
from .webhook_subscriptions import Subscriptions

__all__ = ["AccessToken", "App", "Market", "TokenRules", "UserType"]


@attrs.frozen
class App:
    """A developer's app."""

    key: str
    secret: str = attrs.field(repr=False)
    service_id: str = ""
    redirect_url: str = ""
    """Where a user is redirected after approving or denying; the result is added to the query."""
    name: str = "Sandbox App"
    verifier: SignatureVerifier = attrs.field(
        init=False,
        repr=False,
        eq=False,
        default=attrs.Factory(lambda app: SignatureVerifier(app.secret), takes_self=True),
    )


class Market:
    """All apps, tokens and shops of a sandbox."""

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
        """Selects the content of stub responses."""
        self.apps = {app.key: app for app in apps}
        self.tokens = {token.value: token for token in tokens}
        self.shops = {shop.cipher: shop for shop in shops}
        self.grants = Grants(self.tokens, token_rules or TokenRules())
        self.subscriptions = Subscriptions()
        self.on_event: Callable[[Event], object] = ignore
        """Called with every event about an authorization; each ledger has its own callback."""

    @property
    def refreshes(self) -> int:
        """Number of token refreshes; one per expiry, unless tasks or processes race."""
        return self.grants.refreshes

    def secrets(self) -> tuple[str, ...]:
        """Return the secrets, which only the console's credentials page shows."""
        app_secrets = (app.secret for app in self.apps.values())
        return (*app_secrets, *self.tokens, *self.grants.secrets(), *self.shops)

    def shops_of(self, token: AccessToken) -> list[Shop]:
        """Return the shops that a token gives access to."""
        return [shop for cipher, shop in self.shops.items() if cipher in token.shop_ciphers]

    def settle(self, now: float) -> None:
        """Run what is due in all shops, and emit webhook 7 for authorizations that end soon."""
        for shop in self.shops.values():
            shop.ledger.settle()
        for grant, end in self.grants.expiring(now):
            data = {
                "message": "The authorization expires soon.",
                "expiration_time": str(int(end)),
            }
            for cipher, shop in self.shops.items():
                if cipher in grant.shop_ciphers:
                    event = Event(UPCOMING_AUTHORIZATION_EXPIRATION, shop.id, data, grant.app_key)
                    self.on_event(event)

    def reset(self) -> None:
        """Return to the initial state.

        Raises:
            LookupError: The market was not made by `demo_market`.
        """
        if self._remake is None:
            raise LookupError("the market cannot be reset: it was not made by demo_market")
        vars(self).update(vars(self._remake()))

    def revoke(self, access_token: str) -> None:
        """Revoke the authorization of a token, as its user.

        All its tokens are then unknown, and webhook 6 is emitted for each shop.
        """
        token = self.tokens[access_token]
        self.grants.revoke(token)
        for shop in self.shops_of(token):
            message = {"message": "The seller revoked the authorization."}
            self.on_event(Event(SELLER_DEAUTHORIZATION, shop.id, message, token.app_key))
