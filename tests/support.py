"""Shared test helpers: a fake shop with prepared responses, its clients and their secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from tiktok_shop_async import AsyncTikTokShop

APP_KEY = "68xu9ks5p4i8"
APP_SECRET = "app-secret-5f1c2b"
ACCESS_TOKEN = "ROW_access-token-93b7"
SHOP_CIPHER = "ROW_xkMbgAAAeVAQra0eZWebFQq5aIKt"
CATEGORY_ASSET_CIPHER = "GCP_asset-cipher-71aa"
SECRETS = (APP_SECRET, ACCESS_TOKEN, SHOP_CIPHER, CATEGORY_ASSET_CIPHER)

Handler = Callable[[httpx.Request], httpx.Response]


def envelope(data: Any = None, *, code: Any = 0, message: str = "Success") -> dict[str, Any]:
    return {"code": code, "message": message, "request_id": "req-2026", "data": data}


class FakeShop(httpx.AsyncBaseTransport):
    """A transport that stores requests and returns prepared responses; the last one is repeated."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[httpx.Response | Exception | Handler] = []

    def answer(self, data: Any = None, **options: Any) -> FakeShop:
        return self.answer_raw(json.dumps(envelope(data, **options)).encode())

    def answer_raw(self, body: bytes, status: int = 200, **headers: str) -> FakeShop:
        fields = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.answers.append(lambda _: httpx.Response(status, headers=fields, content=body))
        return self

    def fail(self, error: Exception) -> FakeShop:
        self.answers.append(error)
        return self

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]

    @property
    def last_json(self) -> Any:
        return json.loads(self.last.content)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


def new_client(
    transport: httpx.AsyncBaseTransport | None = None, **options: Any
) -> AsyncTikTokShop:
    credentials = {
        "access_token": ACCESS_TOKEN,
        "shop_cipher": SHOP_CIPHER,
        "category_asset_cipher": CATEGORY_ASSET_CIPHER,
    }
    if "auth" in options:
        credentials = {}
    options = {"max_retries": 0} | credentials | options  # most tests prepare one answer per call
    return AsyncTikTokShop(APP_KEY, APP_SECRET, transport=transport, **options)
