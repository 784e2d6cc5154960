"""Cookies that tie authorizations under way to the browser that began them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

COOKIE = "tiktok_shop_authorization"
MAX_PENDING = 10
"""Authorizations that a browser can have under way: about 1 KB of cookies. Our choice."""

KNOWN_AFTERWARDS = 3600.0
"""Seconds that a browser keeps the cookie of a state that has expired. Our choice."""


class PendingCookies:
    """The pending authorizations of the browser that sent a request: a cookie for each.

    They are named by their states, so tabs that begin or end at the same time do not overwrite
    each other. A cookie's value is the nonce that its state was signed with.
    """

    def __init__(self, request: Request) -> None:
        self._cookies = request.cookies
        self._is_secure = request.url.scheme == "https"
        # Browsers take a cookie of this prefix from this host alone, and over HTTPS alone.
        self._prefix = f"{'__Host-' if self._is_secure else ''}{COOKIE}_"

    def add(self, response: Response, state: str, nonce: str, max_age: float) -> None:
        """Set the cookie of a new state, and drop the oldest beyond `MAX_PENDING`.

        It outlives its state, so that a late callback is known to be late.
        """
        # Browsers send the oldest cookie first.
        pending = [name for name in self._cookies if name.startswith(self._prefix)]
        for name in pending[: -(MAX_PENDING - 1)]:
            self._set(response, name, "", 0)
        self._set(response, self._name(state), nonce, max_age + KNOWN_AFTERWARDS)

    def nonce(self, state: str | None) -> str | None:
        """Return the nonce of a state; None if this browser did not begin it."""
        return self._cookies.get(self._name(state or ""))

    def remove(self, response: Response, state: str) -> None:
        """Delete the cookie of a state, which is worth nothing from then on."""
        self._set(response, self._name(state), "", 0)

    def _name(self, state: str) -> str:
        digest = hashlib.sha256(state.encode(errors="replace")).hexdigest()
        return f"{self._prefix}{digest[:16]}"

    def _set(self, response: Response, name: str, value: str, max_age: float) -> None:
        response.set_cookie(
            name,
            value,
            max_age=int(max_age),
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="lax",  # the platform's page leads here, so "strict" would lose it
        )
