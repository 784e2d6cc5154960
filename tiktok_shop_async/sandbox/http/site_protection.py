"""Middleware against requests by pages of other sites in a browser on this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..error_responses import INVALID_PARAMETER
from ..inputs.json_input import shortened

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class AllowedHosts:
    """Middleware that rejects foreign host names, to prevent DNS rebinding.

    Accepted are loopback names and addresses, the address of the server, and the given names. A
    page of another site cannot use any of these as its own name.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower().strip("[]") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if its Host header is accepted."""
        if scope["type"] != "http" or self._accepts(scope):
            await self._app(scope, receive, send)
            return
        message = (
            f"The Host header {shortened(_header(scope, b'host'))} is not accepted: use localhost, "
            "127.0.0.1 or [::1], or allow the name with --allow-host or allowed_hosts."
        )
        content: dict[str, object] = {"error": message}
        if not scope["path"].startswith("/_sandbox"):  # clients of the API expect an envelope
            content = {
                "code": INVALID_PARAMETER,
                "message": message,
                "request_id": "",
                "data": None,
            }
        await JSONResponse(content, HTTPStatus.FORBIDDEN)(scope, receive, send)

    def _accepts(self, scope: Scope) -> bool:
        header = _header(scope, b"host")
        if header is None:  # browsers always send it
            return True
        name = host_name(header)
        if name is None:
            return False
        address, _ = scope.get("server") or (None, None)
        return name in self._names or name == address or _is_loopback(name)


class SameOriginOnly:
    """Middleware that rejects requests by pages of other sites."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on unless its Origin or Sec-Fetch-Site names another site."""
        if scope["type"] == "http" and _is_foreign(Request(scope)):
            error = {"error": "the request comes from another site"}
            await JSONResponse(error, HTTPStatus.FORBIDDEN)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


@lru_cache(maxsize=64)  # nearly all requests have the same
def host_name(header: str) -> str | None:
    """Return the name or address in a Host header, in lowercase; None if it is malformed."""
    try:
        parts = urlsplit(f"//{header}")
        malformed = parts.netloc != header or "@" in header or parts.port == 0
    except ValueError:
        return None
    return None if malformed else parts.hostname


@lru_cache(maxsize=64)
def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _is_foreign(request: Request) -> bool:
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is not None and origin.lower() not in _origins(request):
        return True
    return request.method not in _SAFE_METHODS and site not in (None, "same-origin", "none")


def _origins(request: Request) -> tuple[str, str]:
    """Return the origins of the sandbox's pages; a proxy can add TLS."""
    host = request.headers.get("host", "").lower()
    return f"http://{host}", f"https://{host}"


def _header(scope: Scope, name: bytes) -> str | None:
    found = (value.decode("latin-1") for key, value in scope["headers"] if key == name)
    return next(found, None)
