"""How an app gets its tokens: the pages a user sees, and the endpoints that codes are taken to."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import attrs
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..console.rendering import render
from ..control.control_input import BodyTooLargeError, bounded_body
from ..control.sandbox_state import SandboxState
from ..domain.access_tokens import UserType
from ..domain.grants import Grant, Grants, TokenPair
from ..domain.market import App, Market
from ..domain.scopes import all_scopes
from ..error_responses import Refusal, invalid
from ..faults.fault_delivery import Sleep, carry_out, deliver
from ..faults.rules import FaultRule
from .site_protection import SameOriginOnly

Envelope = Callable[[int, str, dict[str, Any] | None, int], Response]

SELLER_PAGE = "/open/authorize"
CREATOR_PAGE = "/alliance/creator/auth"
EXCHANGE = "/api/v2/token/get"
REFRESH = "/api/v2/token/refresh"

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'",
    "cache-control": "no-store",
}
_FOREVER = 4_102_444_800  # the year 2100, for tokens that do not expire


def authorization_routes(bench: SandboxState, envelope: Envelope, sleep: Sleep) -> list[Route]:
    """Return the routes of the pages and of the token endpoints."""
    pages = _Pages(bench.market, bench.clock)
    exchange, refresh = [
        _TokenEndpoint(bench, envelope, sleep, grant_type) for grant_type in _GRANT_TYPES
    ]
    return [
        *(
            Route(
                path,
                pages.answer,
                methods=["GET", "POST"],
                middleware=[Middleware(SameOriginOnly)],
            )
            for path in (SELLER_PAGE, CREATOR_PAGE)
        ),
        Route(EXCHANGE, exchange, methods=["GET"]),
        Route(REFRESH, refresh, methods=["GET"]),
    ]


class _Pages:
    """Asks the user, who is the owner of all shops here, and sends the answer to the app."""

    def __init__(self, market: Market, clock: Callable[[], float]) -> None:
        self._market = market
        self._clock = clock

    async def answer(self, request: Request) -> Response:
        """Show the page, or do as its button says."""
        creator = request.scope["path"] == CREATOR_PAGE
        query = request.query_params
        app = self._app("key" if creator else "service_id", query, creator=creator)
        if app is None:
            return _page("Unknown app", "No app has this service_id or app_key.", 400)
        if not app.redirect_url:
            return _page(
                "No redirect URL",
                "This app has no redirect URL, so its users cannot be sent back.",
                400,
            )
        if creator and not query.get("state"):
            return _page("No state", "A creator's authorization needs a state.", 400)
        if request.method == "GET":
            return self._question(app, creator=creator, role=query.get("role", "seller"))
        try:
            content = await bounded_body(request)
        except BodyTooLargeError:
            return _page("Too large", "The form has more than 1 MB.", 413)
        form = dict(parse_qsl(content.decode("utf-8", "replace")))
        if form.get("decision") == "approve":
            user_type = _user_type(form.get("role", ""), creator=creator)
            answer = self._approval(app, user_type)
        else:
            answer = {"error": "auth_denied"}
        if "state" in query:
            answer["state"] = query["state"]
        return RedirectResponse(_with_query(app.redirect_url, answer), HTTPStatus.FOUND, _HEADERS)

    def _app(self, field: str, query: Mapping[str, str], *, creator: bool) -> App | None:
        wanted = query.get("app_key" if creator else "service_id", "")
        found = (app for app in self._market.apps.values() if getattr(app, field) == wanted)
        return next(found, None) if wanted else None

    def _question(self, app: App, *, creator: bool, role: str) -> Response:
        shops = [] if creator else list(self._market.shops.values())
        return _page(f"Authorize {app.name}", creator=creator, role=role, shops=shops)

    def _approval(self, app: App, user_type: UserType) -> dict[str, str]:
        shops = self._market.shops if user_type is UserType.SELLER else {}
        region = next((shop.region for shop in shops.values()), "US")
        grant = Grant(
            app_key=app.key,
            open_id=open_id_of(app.key, user_type),
            user_type=user_type,
            name=next((shop.name for shop in shops.values()), f"Sandbox {user_type.name.title()}"),
            region=region,
            shop_ciphers=frozenset(shops),
        )
        code = self._market.grants.open_code(grant, self._clock())
        return {"app_key": app.key, "code": code, "locale": "en-US", "shop_region": region}


@attrs.frozen
class _GrantType:
    """What a token endpoint is called, takes, and gives."""

    operation: str
    field: str
    give: Callable[[Grants, str, str, float], TokenPair]


_GRANT_TYPES: Mapping[str, _GrantType] = {
    "authorized_code": _GrantType("oauth.exchange", "auth_code", Grants.exchange),
    "refresh_token": _GrantType("oauth.refresh", "refresh_token", Grants.refresh),
}


@attrs.frozen
class _TokenEndpoint:
    """Gives tokens for codes or for refresh tokens, unsigned as the platform does.

    Faults strike it under the name of its operation, once the app and its secret were checked.
    """

    _bench: SandboxState
    _envelope: Envelope
    _sleep: Sleep
    _grant_type: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        rule: FaultRule | None = None
        try:
            app, value = self._check(Request(scope).query_params)
            rule = self._bench.faults.strike(_GRANT_TYPES[self._grant_type].operation)
            answer = carry_out(partial(self._give, app, value), rule, self._bench.clock())
            if not isinstance(answer, Response):
                answer = self._envelope(0, "success", answer, HTTPStatus.OK)
        except Refusal as refusal:
            answer = self._envelope(refusal.code, refusal.message, None, refusal.http_status)
            answer.headers.update(refusal.headers)
        await deliver(answer, rule, scope, receive, send, self._sleep)

    def _check(self, query: Mapping[str, str]) -> tuple[App, str]:
        app = self._bench.market.apps.get(query.get("app_key", ""))
        secret = query.get("app_secret", "").encode()
        if app is None or not secrets.compare_digest(app.secret.encode(), secret):
            raise invalid("Invalid app_key or app_secret.")
        if query.get("grant_type") != self._grant_type:
            raise invalid(f"The grant_type must be {self._grant_type}.")
        field = _GRANT_TYPES[self._grant_type].field
        if not query.get(field):
            raise invalid(f"The query parameter {field} is required.")
        return app, query[field]

    def _give(self, app: App, value: str) -> dict[str, Any]:
        give = _GRANT_TYPES[self._grant_type].give
        return _document(give(self._bench.market.grants, app.key, value, self._bench.clock()))


def open_id_of(app_key: str, user_type: UserType) -> str:
    """Return the id under which an app knows the sandbox's user of a type."""
    return f"SANDBOX_{user_type.name.lower()}-of-{app_key}"


def _document(pair: TokenPair) -> dict[str, Any]:
    grant = pair.grant
    scopes = all_scopes(grant.user_type) if grant.scopes is None else grant.scopes
    return {
        "access_token": pair.access_token.value,
        "access_token_expire_in": int(min(pair.access_token.expires_at, _FOREVER)),
        "refresh_token": pair.refresh_token,
        "refresh_token_expire_in": int(min(pair.refresh_token_expires_at, _FOREVER)),
        "open_id": grant.open_id,
        "seller_name": grant.name,
        "seller_base_region": grant.region,
        "user_type": int(grant.user_type),
        "granted_scopes": sorted(scopes),
    }


def _user_type(role: str, *, creator: bool) -> UserType:
    if creator:
        return UserType.CREATOR
    return UserType.PARTNER if role == "partner" else UserType.SELLER


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit(parts._replace(query=query))


def _page(title: str, text: str = "", status: int = HTTPStatus.OK, **values: Any) -> Response:
    html = render("authorization.html", title=title, text=text, **values)
    return HTMLResponse(html, status, _HEADERS)
