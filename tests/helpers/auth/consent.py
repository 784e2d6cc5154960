"""A user who decides on the sandbox's authorize pages, and a client of its token endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from tiktok_shop_async import TikTokShopOAuth
from tiktok_shop_async.auth import parse_redirect
from tiktok_shop_async.sandbox import DEMO_APP_KEY, DEMO_APP_SECRET, DEMO_SERVICE_ID, Sandbox

CODE = "ROW_code-that-works-once-4f"
REFRESH_TOKEN = "ROW_refresh-token-aa91"
SOON, LATER = 1_790_600_000, 1_820_000_000
DOCUMENT = {
    "access_token": "ROW_access-token-0c44",
    "refresh_token": "ROW_next-refresh-token-7d",
    "access_token_expire_in": SOON,
    "refresh_token_expire_in": LATER,
    "open_id": "7010736057180325637",
    "seller_name": "Jjj test shop",
    "seller_base_region": "ID",
    "user_type": 0,
    "granted_scopes": ["seller.order.info"],
}


def oauth_of(shop: Sandbox, **options: Any) -> TikTokShopOAuth:
    """Return the demo app's OAuth at a sandbox."""
    known: dict[str, Any] = {
        "service_id": DEMO_SERVICE_ID,
        "base_url": shop.base_url,
        "transport": shop.transport,
        "clock": shop.clock,
    }
    return TikTokShopOAuth(DEMO_APP_KEY, DEMO_APP_SECRET, **(known | options))


async def decided(
    shop: Sandbox, url: str, decision: str = "approve", form: Mapping[str, str] | None = None
) -> str:
    """Return where the page at ``url`` leads whoever clicks on its button."""
    async with httpx.AsyncClient(transport=shop.transport) as browser:
        page = await browser.get(url)
        assert page.status_code == 200, page.text
        role = "partner" if "option selected>partner" in page.text else "seller"
        answer = await browser.post(url, data={"decision": decision, "role": role, **(form or {})})
    return str(answer.headers["location"])


async def code_of(shop: Sandbox, oauth: TikTokShopOAuth) -> str:
    """Return the code of a seller who approves."""
    return parse_redirect(await decided(shop, oauth.authorization_url())).code


def answering(handler: Any, **options: Any) -> TikTokShopOAuth:
    """Return an OAuth whose token calls a function answers, or an exception fails."""

    def answer(request: httpx.Request) -> httpx.Response:
        if isinstance(handler, Exception):
            raise handler
        response: httpx.Response = handler(request) if callable(handler) else handler
        return response

    return TikTokShopOAuth(
        "app-key", "app-secret-c0ffee", transport=httpx.MockTransport(answer), **options
    )


def with_data(data: Any, **envelope: Any) -> httpx.Response:
    known = {"code": 0, "message": "success", "request_id": "2026REQ", "data": data}
    return httpx.Response(200, json=known | envelope)
