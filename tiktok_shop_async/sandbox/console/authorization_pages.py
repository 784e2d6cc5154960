"""Pages on which a user approves or denies an app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ..domain.access_tokens import UserType
from ..domain.grants import Grant, open_id_of
from ..domain.market import App
from ..inputs.bounded_body import BodyTooLargeError, bounded_body
from ..state.sandbox_state import SandboxState
from .rendering import render

SELLER_PAGE = "/open/authorize"
CREATOR_PAGE = "/alliance/creator/auth"

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'",
    "cache-control": "no-store",
}


def authorization_page_routes(state: SandboxState, middleware: Sequence[Middleware]) -> list[Route]:
    """Return the routes of the pages."""
    pages = _AuthorizationPages(state)
    return [
        Route(path, pages.respond, methods=["GET", "POST"], middleware=middleware)
        for path in (SELLER_PAGE, CREATOR_PAGE)
    ]


class _AuthorizationPages:
    """Pages with Approve and Deny, which redirect the user to the app.

    The sandbox has one user of each type; the seller owns all shops.
    """

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def respond(self, request: Request) -> Response:
        """Show the page, or carry out the decision of its form."""
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
            return _page("No state", "A creator's authorization requires a state.", 400)
        if request.method == "GET":
            return self._form(app, creator=creator, role=query.get("role", "seller"))
        try:
            content = await bounded_body(request)
        except BodyTooLargeError:
            return _page("Too large", "The form has more than 1 MB.", 413)
        form = dict(parse_qsl(content.decode("utf-8", "replace")))
        return self._decide(app, form, query, creator=creator)

    def _decide(
        self, app: App, form: Mapping[str, str], query: Mapping[str, str], *, creator: bool
    ) -> Response:
        if form.get("decision") == "approve":
            user_type = _user_type(form.get("role", ""), creator=creator)
            parameters = self._approve(app, user_type)
        else:
            parameters = {"error": "auth_denied"}
        if "state" in query:
            parameters["state"] = query["state"]
        url = _with_query(app.redirect_url, parameters)
        return RedirectResponse(url, HTTPStatus.FOUND, _HEADERS)

    def _app(self, field: str, query: Mapping[str, str], *, creator: bool) -> App | None:
        wanted = query.get("app_key" if creator else "service_id", "")
        apps = self._state.market.apps.values()
        found = (app for app in apps if getattr(app, field) == wanted)
        return next(found, None) if wanted else None

    def _form(self, app: App, *, creator: bool, role: str) -> Response:
        shops = [] if creator else list(self._state.market.shops.values())
        return _page(f"Authorize {app.name}", creator=creator, role=role, shops=shops)

    def _approve(self, app: App, user_type: UserType) -> dict[str, str]:
        market = self._state.market
        shops = market.shops if user_type is UserType.SELLER else {}
        region = next((shop.settings.region for shop in shops.values()), "US")
        grant = Grant(
            app_key=app.key,
            open_id=open_id_of(app.key, user_type),
            user_type=user_type,
            name=next((shop.name for shop in shops.values()), f"Sandbox {user_type.name.title()}"),
            region=region,
            shop_ciphers=frozenset(shops),
        )
        code = market.grants.open_code(grant, self._state.clock.time())
        return {"app_key": app.key, "code": code, "locale": "en-US", "shop_region": region}


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
