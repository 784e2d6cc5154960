"""Tokens from the service: authorize pages, codes, refreshes."""

from __future__ import annotations

from typing import Literal

from .token import NotPickled, Token


class TikTokShopOAuth(NotPickled):
    """Placeholder."""

    def __init__(self, app_key: str, app_secret: str, *, service_id: str | None = None) -> None:
        self.app_key = app_key
        self.service_id = service_id

    def authorization_url(
        self,
        role: Literal["seller", "partner", "creator"] = "seller",
        region: Literal["us", "row"] = "us",
        state: str | None = None,
    ) -> str:
        raise NotImplementedError

    async def exchange(self, code: str) -> Token:
        raise NotImplementedError

    async def refresh(self, refresh_token: str) -> Token:
        raise NotImplementedError
