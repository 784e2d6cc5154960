"""The endpoints that exchange authorization codes and refresh tokens."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..domain.grants import Grants, TokenPair
from ..domain.market import App
from ..domain.scopes import all_scopes
from ..error_responses import Refusal, invalid
from ..faults.fault_delivery import Sleep, deliver, run_with_fault
from ..faults.rules import FaultRule
from ..state.sandbox_state import SandboxState
from .response_envelope import EnvelopeFactory

EXCHANGE = "/api/v2/token/get"
REFRESH = "/api/v2/token/refresh"

_NO_EXPIRY = 4_102_444_800  # the year 2100, for tokens that do not expire


@attrs.frozen
class _GrantType:
    """The operation id, the query parameter and the action of a token endpoint."""

    operation: str
    field: str
    run: Callable[[Grants, str, str, float], TokenPair]


_GRANT_TYPES: Mapping[str, _GrantType] = {
    "authorized_code": _GrantType("oauth.exchange", "auth_code", Grants.exchange),
    "refresh_token": _GrantType("oauth.refresh", "refresh_token", Grants.refresh),
}


def token_routes(state: SandboxState, envelopes: EnvelopeFactory, sleep: Sleep) -> list[Route]:
    """Return the routes of the token endpoints."""
    paths = {"authorized_code": EXCHANGE, "refresh_token": REFRESH}
    return [
        Route(path, _TokenEndpoint(state, envelopes, sleep, grant_type), methods=["GET"])
        for grant_type, path in paths.items()
    ]


@attrs.frozen
class _TokenEndpoint:
    """Endpoint that returns tokens; requests are unsigned, as on the platform.

    Fault rules apply by the operation id, after the app and its secret were checked.
    """

    _state: SandboxState
    _envelopes: EnvelopeFactory
    _sleep: Sleep
    _grant_type: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        rule: FaultRule | None = None
        try:
            app, value = self._check(Request(scope).query_params)
            rule = self._state.faults.choose(_GRANT_TYPES[self._grant_type].operation)
            now = self._state.clock.time()
            result = run_with_fault(partial(self._issue, app, value), rule, now)
            if not isinstance(result, Response):
                result = self._envelopes.success(result, "success")
            response = result
        except Refusal as refusal:
            response = self._envelopes.error(refusal)
        await deliver(response, rule, scope, receive, send, self._sleep)

    def _check(self, query: Mapping[str, str]) -> tuple[App, str]:
        app = self._state.market.apps.get(query.get("app_key", ""))
        secret = query.get("app_secret", "").encode()
        if app is None or not secrets.compare_digest(app.secret.encode(), secret):
            raise invalid("Invalid app_key or app_secret.")
        if query.get("grant_type") != self._grant_type:
            raise invalid(f"The grant_type must be {self._grant_type}.")
        field = _GRANT_TYPES[self._grant_type].field
        if not query.get(field):
            raise invalid(f"The query parameter {field} is required.")
        return app, query[field]

    def _issue(self, app: App, value: str) -> dict[str, Any]:
        run = _GRANT_TYPES[self._grant_type].run
        return _document(run(self._state.market.grants, app.key, value, self._state.clock.time()))


def _document(pair: TokenPair) -> dict[str, Any]:
    grant = pair.grant
    scopes = all_scopes(grant.user_type) if grant.scopes is None else grant.scopes
    return {
        "access_token": pair.access_token.value,
        "access_token_expire_in": int(min(pair.access_token.expires_at, _NO_EXPIRY)),
        "refresh_token": pair.refresh_token,
        "refresh_token_expire_in": int(min(pair.refresh_token_expires_at, _NO_EXPIRY)),
        "open_id": grant.open_id,
        "seller_name": grant.name,
        "seller_base_region": grant.region,
        "user_type": int(grant.user_type),
        "granted_scopes": sorted(scopes),
    }
