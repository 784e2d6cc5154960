"""Requests with a signature of the npm package tiktok-shop, which signs and does not send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
from foreign.peers import Outcome, TikTokShopSigner

from tiktok_shop_async.sandbox import Sandbox

SERVICE = "https://open-api.tiktokglobalshop.com"


def url_of(path: str, query: Mapping[str, str]) -> str:
    encoded = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"{SERVICE}{quote(path)}?{encoded}"


async def signed_and_sent(shop: Sandbox, method: str, path: str, text: str = "") -> Any:
    """Send a request with its signature, and return the envelope."""
    app = {"appKey": shop.app_key, "appSecret": shop.app_secret}
    query = {"app_key": shop.app_key, "shop_cipher": shop.shop_cipher}
    path, _, more = path.partition("?")
    url = url_of(path, query) + (f"&{more}" if more else "")
    with TikTokShopSigner() as signer:
        outcome = signer.call("signByUrl", url, *([text] if text else []), config=app)
    signed: Outcome = outcome["answer"]
    target = f"{url}&timestamp={signed['timestamp']}&sign={signed['signature']}"
    async with httpx.AsyncClient(trust_env=False) as http:
        response = await http.request(
            method,
            target.replace(SERVICE, shop.base_url),
            content=text.encode(),
            headers={"x-tts-access-token": shop.access_token, "content-type": "application/json"},
        )
    return response.json()
