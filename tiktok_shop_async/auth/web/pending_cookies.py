"""Cookies that bind a pending authorization to the browser that started it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

COOKIE = "tiktok_shop_authorization"
MAX_PENDING = 10
"""Pending authorizations per browser: about 1 KB of cookies. Our choice."""

KEPT_AFTER_EXPIRY = 3600.0
"""Seconds that a browser keeps the cookie of a state that has expired. Our choice."""


class PendingCookies:
    """The pending authorizations of the browser that sent a request, with a cookie for each.

    The name of a cookie is derived from the state, so concurrent tabs do not overwrite each other.
    Its value is the nonce with which the state was signed.
    """

    def __init__(self, request: Request) -> None:
        self._cookies = request.cookies
        self._is_secure = request.url.scheme == "https"
        # Browsers accept a cookie with this prefix only from this host and only over HTTPS.
        self._prefix = f"{'__Host-' if self._is_secure else ''}{COOKIE}_"

    def add(self, response: Response, state: str, nonce: str, max_age: float) -> None:
        """Set the cookie of a new state, and drop the oldest beyond `MAX_PENDING`.

        The cookie outlives its state, so that a late callback is recognized as expired.
        """
        # Browsers send the oldest cookie first.
        pending = [name for name in self._cookies if name.startswith(self._prefix)]
        for name in pending[: -(MAX_PENDING - 1)]:
            self._set(response, name, "", 0)
        self._set(response, self._name(state), nonce, max_age + KEPT_AFTER_EXPIRY)

    def nonce(self, state: str | None) -> str | None:
        """Return the nonce of a state; None if this browser did not start it."""
        return self._cookies.get(self._name(state or ""))

    def remove(self, response: Response, state: str) -> None:
        """Delete the cookie of a state, which is invalid from then on."""
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
            samesite="lax",  # with "strict" the redirect from the platform's page would lack it
        )
