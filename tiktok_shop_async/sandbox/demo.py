"""The demo market: fixed credentials, two shops, and seeded orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .._internal.clock import TimeSource
from .domain.grants import Grant, open_id_of
from .domain.market import AccessToken, App, Market, TokenRules, UserType
from .domain.orders.shop_settings import PENDING_SHARE, ShopSettings, Spans
from .domain.seeding import make_orders, make_products
from .domain.shop import Shop

# Public, and without any use outside the sandbox.
DEMO_APP_KEY = "68xu9ks5sandbox"
DEMO_APP_SECRET = "sandbox-app-secret-4f1d8c20"  # noqa: S105
DEMO_ACCESS_TOKEN = "SANDBOX_seller-token-7b29"  # noqa: S105
DEMO_EXPIRED_TOKEN = "SANDBOX_expired-token-10aa"  # noqa: S105
DEMO_CREATOR_TOKEN = "SANDBOX_creator-token-c3e5"  # noqa: S105
DEMO_ORDERS_ONLY_TOKEN = "SANDBOX_orders-only-token-8d02"  # noqa: S105
DEMO_REFRESH_TOKEN = "SANDBOX_refresh-token-51fe"  # noqa: S105
DEMO_SHOP_CIPHER = "SANDBOX_xkMbgAAAeVAQra0eZWebFQq5aIKt"
DEMO_SECOND_SHOP_CIPHER = "SANDBOX_GbQ7wAAAAC2nWc1dkZ0rT8sUvLpE"
DEMO_SERVICE_ID = "7380066284010000001"
DEMO_REDIRECT_URL = "http://127.0.0.1:8000/callback"

ORDERS_ONLY = frozenset({"seller.order.info"})
MAX_ORDERS_OF_SECOND_SHOP = 20

_FIRST_SHOP: Mapping[str, Any] = {
    "id": "7000714532876273420",
    "name": "Sandbox Goods",
    "cipher": DEMO_SHOP_CIPHER,
}
_SECOND_SHOP: Mapping[str, Any] = {
    "id": "7000714532876273421",
    "name": "Sandbox Goods UK",
    "cipher": DEMO_SECOND_SHOP_CIPHER,
    "code": "GBLCSANDBOX",
    "currency": "GBP",
    "warehouse_id": "7000714532876273002",
}


def demo_market(
    *,
    orders: int,
    seed: int,
    clock: TimeSource,
    pending_share: float = PENDING_SHARE,
    pending_seconds: float | None = None,
    spans: Spans | None = None,
    redirect_url: str = DEMO_REDIRECT_URL,
    token_rules: TokenRules | None = None,
) -> Market:
    """Return a market with one app, a US shop, a small UK shop, and a token of each kind.

    ``pending_seconds`` replaces the one of ``spans``.
    """
    spans = spans or Spans()
    if pending_seconds is not None:
        spans = attrs.evolve(spans, pending_seconds=pending_seconds)

    def remake() -> Market:
        return demo_market(
            orders=orders,
            seed=seed,
            clock=clock,
            pending_share=pending_share,
            spans=spans,
            redirect_url=redirect_url,
            token_rules=token_rules,
        )

    def settings(region: str) -> ShopSettings:
        return ShopSettings(region=region, spans=spans, seed=seed, pending_share=pending_share)

    first = Shop(**_FIRST_SHOP, clock=clock, settings=settings("US"))
    second = Shop(**_SECOND_SHOP, clock=clock, settings=settings("GB"))
    _seed(first, orders, seed)
    _seed(second, min(orders, MAX_ORDERS_OF_SECOND_SHOP), seed + 1)
    app = App(DEMO_APP_KEY, DEMO_APP_SECRET, DEMO_SERVICE_ID, redirect_url)
    market = Market(
        [app], _tokens(), [first, second], seed=seed, token_rules=token_rules, remake=remake
    )
    grant = Grant(
        app_key=DEMO_APP_KEY,
        open_id=open_id_of(DEMO_APP_KEY, UserType.SELLER),
        shop_ciphers=frozenset(market.shops),
    )
    market.grants.add(grant, market.tokens[DEMO_ACCESS_TOKEN], DEMO_REFRESH_TOKEN)
    return market


def _seed(shop: Shop, orders: int, seed: int) -> None:
    now = int(shop.ledger.now())
    shop.stock.add(make_products(now=now))
    shop.add_orders(make_orders(orders, seed=seed, now=now))


def _tokens() -> list[AccessToken]:
    sellers = AccessToken(
        value=DEMO_ACCESS_TOKEN,
        app_key=DEMO_APP_KEY,
        shop_ciphers=frozenset({DEMO_SHOP_CIPHER, DEMO_SECOND_SHOP_CIPHER}),
        open_id=open_id_of(DEMO_APP_KEY, UserType.SELLER),
    )
    return [
        sellers,
        attrs.evolve(sellers, value=DEMO_EXPIRED_TOKEN, expires_at=0.0),
        attrs.evolve(sellers, value=DEMO_ORDERS_ONLY_TOKEN, scopes=ORDERS_ONLY),
        AccessToken(
            value=DEMO_CREATOR_TOKEN,
            app_key=DEMO_APP_KEY,
            user_type=UserType.CREATOR,
            open_id=open_id_of(DEMO_APP_KEY, UserType.CREATOR),
        ),
    ]
