"""The two routes of an authorization, as an ASGI application to mount."""

from __future__ import annotations

import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable
from html import escape
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import urlencode

import attrs

from ..._internal.unpicklable import Unpicklable
from ...errors import (
    AuthorizationDeniedError,
    AuthorizationError,
    InvalidArgumentError,
    OutcomeUnknownError,
    RateLimitError,
    ReauthorizationRequiredError,
    ResponseDecodeError,
    ServiceUnavailableError,
    StateError,
    TikTokShopError,
    TransportError,
)
from ..authorizations import Authorizations
from ..events import logger
from ..state import AuthState
from ..token import Token
from .pending_cookies import PendingCookies
from .redirect import parse_redirect
from .state_signer import MAX_AGE, StateSigner

try:
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, RedirectResponse, Response
    from starlette.routing import Route, Router
    from starlette.types import Receive, Scope, Send
except ImportError as error:
    raise ImportError(
        "OAuthRoutes needs a further package: pip install 'tiktok-shop-async[oauth]'",
        name=error.name,
    ) from error

_HEADERS = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
"""They keep the URL, with its code and state, out of caches and of other sites' logs."""


@attrs.frozen(kw_only=True, slots=False)
class Authorized(Unpicklable):
    """A new authorization that is stored already."""

    token: Token
    auth: AuthState
    """The auth state for ``client.for_shop(auth=…)``."""
    data: Any
    """The value that ``state_data`` returned when the user started."""


OnAuthorized: TypeAlias = Callable[[Request, Authorized], Awaitable[Response]]
OnError: TypeAlias = Callable[[Request, TikTokShopError], Awaitable[Response]]
StateData: TypeAlias = Callable[[Request], Awaitable[Any] | Any]


class OAuthRoutes:
    """An ASGI app: ``/start`` redirects to the authorize page, ``/callback`` receives the result.

    Mount it in Starlette or FastAPI, ``app.mount("/tiktok", OAuthRoutes(…))``, and enter the
    callback as the app's redirect URL in Partner Center. The query of ``/start`` may contain
    ``role`` and ``region``, as in `TikTokShopOAuth.authorization_url`.
    """

    def __init__(
        self,
        authorizations: Authorizations,
        signer: StateSigner,
        on_authorized: OnAuthorized,
        *,
        on_error: OnError | None = None,
        state_data: StateData | None = None,
        max_age: float = MAX_AGE,
    ) -> None:
        """Create the application.

        Args:
            on_authorized: Returns the response for a user whose token has been stored.
            on_error: Returns the response for a failed authorization; by default a plain page.
            state_data: Returns JSON that `on_authorized` receives, such as the id of your user.
                Raise an exception of Starlette here to reject users who may not authorize shops.
            max_age: Seconds that the user has for the authorize page.
        """
        self._authorizations = authorizations
        self._signer = signer
        self._on_authorized = on_authorized
        self._on_error = on_error or explain
        self._state_data = state_data
        self._max_age = max_age
        self._router = Router(
            [_only_get("/start", self._start), _only_get("/callback", self._callback)]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self._router(scope, receive, send)

    async def _start(self, request: Request) -> Response:
        data = None if self._state_data is None else self._state_data(request)
        if inspect.isawaitable(data):
            data = await data
        role: Any = request.query_params.get("role", "seller")
        region: Any = request.query_params.get("region", "us")
        nonce = f"{secrets.token_urlsafe(24)}.{role}.{region}"  # for `_start_link`
        try:
            state = self._signer.make(data, nonce=nonce)
            url = self._authorizations.oauth.authorization_url(role, region, state)
        except InvalidArgumentError as error:
            return await self._failed(request, error)
        response = RedirectResponse(url, HTTPStatus.SEE_OTHER, _HEADERS)
        PendingCookies(request).add(response, state, nonce, self._max_age)
        return response

    async def _callback(self, request: Request) -> Response:
        state = request.query_params.get("state") or ""
        try:
            # First: without a valid state, no parameter can be trusted.
            data = self._check_state(request, state)
        except StateError as error:
            return _protected(await self._failed(request, error))
        try:
            authorized = await self._authorize(request, data)
        except TikTokShopError as error:
            response = await self._failed(request, error)
        else:
            response = await self._on_authorized(request, authorized)
        PendingCookies(request).remove(response, state)
        return _protected(response)

    def _check_state(self, request: Request, state: str) -> Any:
        """Return the data of a state that was created for this browser and not used yet."""
        nonce = PendingCookies(request).nonce(state)
        if state and not nonce:
            raise StateError(
                "the browser has no cookie for this authorization.",
                operation="oauth.check_state",
                hint="Start and finish on the same host and scheme, in time, and only once.",
            )
        return self._signer.check(state, nonce=nonce or "", max_age=self._max_age)

    async def _authorize(self, request: Request, data: Any) -> Authorized:
        response = parse_redirect(f"?{request.url.query}")
        oauth = self._authorizations.oauth
        if response.app_key and response.app_key != oauth.app_key:
            raise AuthorizationError(
                "the code is for another app.",
                operation="oauth.redirect",
                hint="Use a separate redirect URL for each app.",
            )
        token = await oauth.exchange(response.code)
        return Authorized(token=token, auth=await self._authorizations.add(token), data=data)

    async def _failed(self, request: Request, error: TikTokShopError) -> Response:
        # Errors that anybody can cause with a link are not worth a warning.
        is_expected = isinstance(error, AuthorizationError) or _is_about_link(error)
        level = logging.INFO if is_expected else logging.WARNING
        logger.log(level, "an authorization failed: %s", error)
        return await self._on_error(request, error)


def status_of(error: TikTokShopError) -> HTTPStatus:
    """Return the HTTP status for an error of an authorization."""
    match error:
        case AuthorizationDeniedError():
            return HTTPStatus.FORBIDDEN
        case AuthorizationError() | ReauthorizationRequiredError():
            return HTTPStatus.BAD_REQUEST
        case InvalidArgumentError() if _is_about_link(error):
            return HTTPStatus.BAD_REQUEST
        case RateLimitError():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case (
            TransportError()
            | OutcomeUnknownError()
            | ResponseDecodeError()
            | ServiceUnavailableError()
        ):
            return HTTPStatus.BAD_GATEWAY
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


async def explain(request: Request, error: TikTokShopError) -> Response:
    """Return a plain page that explains the error, with a link to start again."""
    status = status_of(error)
    reason = {
        HTTPStatus.FORBIDDEN: "The app was not authorized.",
        HTTPStatus.BAD_REQUEST: "This authorization expired or was started in another browser.",
        HTTPStatus.INTERNAL_SERVER_ERROR: "The authorization could not be completed.",
    }.get(status, "TikTok Shop did not return a usable response.")
    if _is_about_link(error):
        reason = "This link is not valid."
    start = escape(_start_link(request))
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'><title>Not authorized</title>"
        f"<h1>Not authorized</h1><p>{reason}</p><p><a href='{start}'>Start again</a></p></html>",
        status_code=status,
        headers={**_HEADERS, "content-security-policy": "default-src 'none'"},
    )


def _is_about_link(error: TikTokShopError) -> bool:
    """Return whether the error is about the query of ``/start``."""
    return isinstance(error, InvalidArgumentError) and error.argument in {"role", "region"}


def _start_link(request: Request) -> str:
    """Return the path of ``/start`` with the role and region of the pending authorization."""
    nonce = PendingCookies(request).nonce(request.query_params.get("state")) or ""
    _, *choices = nonce.split(".")
    query = urlencode(dict(zip(("role", "region"), choices, strict=False)))
    return f"{request.scope.get('root_path', '')}/start{'?' * bool(query)}{query}"


def _protected(response: Response) -> Response:
    """Add the headers that keep the URL private to a response, unless it has them."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _only_get(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """Return a route that rejects HEAD: the preview of a link must not use up a code."""
    route = Route(path, endpoint, methods=["GET"])
    route.methods = {"GET"}
    return route
