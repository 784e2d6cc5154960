"""The shop that everybody knows: fixed credentials, and orders to begin with."""

from __future__ import annotations

from collections.abc import Callable

from .market import AccessToken, App, Market, UserType
from .seeding import make_orders, make_products
from .shop import PENDING_SECONDS, PENDING_SHARE, Shop

# Known to everybody, and good for nothing outside the sandbox.
DEMO_APP_KEY = "68xu9ks5sandbox"
DEMO_APP_SECRET = "sandbox-app-secret-4f1d8c20"  # noqa: S105
DEMO_ACCESS_TOKEN = "SANDBOX_seller-token-7b29"  # noqa: S105
DEMO_EXPIRED_TOKEN = "SANDBOX_expired-token-10aa"  # noqa: S105
DEMO_CREATOR_TOKEN = "SANDBOX_creator-token-c3e5"  # noqa: S105
DEMO_SHOP_CIPHER = "SANDBOX_xkMbgAAAeVAQra0eZWebFQq5aIKt"


def demo_market(
    *,
    orders: int,
    seed: int,
    clock: Callable[[], float],
    pending_share: float = PENDING_SHARE,
    pending_seconds: float = PENDING_SECONDS,
) -> Market:
    """Return one app with one shop, and a token of each kind."""

    def remake() -> Market:
        return demo_market(
            orders=orders,
            seed=seed,
            clock=clock,
            pending_share=pending_share,
            pending_seconds=pending_seconds,
        )

    shop = Shop(
        id="7000714532876273420",
        name="Sandbox Goods",
        cipher=DEMO_SHOP_CIPHER,
        clock=clock,
        seed=seed,
        pending_share=pending_share,
        pending_seconds=pending_seconds,
    )
    shop.stock.add(make_products(now=int(clock())))
    shop.add_orders(make_orders(orders, seed=seed, now=int(clock())))
    covered = frozenset({DEMO_SHOP_CIPHER})
    tokens = (
        AccessToken(value=DEMO_ACCESS_TOKEN, app_key=DEMO_APP_KEY, shop_ciphers=covered),
        AccessToken(
            value=DEMO_EXPIRED_TOKEN, app_key=DEMO_APP_KEY, shop_ciphers=covered, expires_at=0.0
        ),
        AccessToken(value=DEMO_CREATOR_TOKEN, app_key=DEMO_APP_KEY, user_type=UserType.CREATOR),
    )
    return Market([App(DEMO_APP_KEY, DEMO_APP_SECRET)], tokens, [shop], remake=remake)
