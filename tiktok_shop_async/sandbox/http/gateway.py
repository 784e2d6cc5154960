"""The gateway: checks of every request before its operation is handled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any

import attrs

from ..._internal.clock import Clock
from ...pipeline.operation import Operation
from .. import error_responses as refusals
from ..domain.market import AccessToken, App, Market
from ..domain.scopes import scope_of, user_type_of
from ..domain.shop import Shop
from ..error_responses import Refusal, invalid
from ..handlers.call import AdmittedCall, UploadedFile
from ..inputs.arguments import digits
from ..inputs.catalogue import query_fields
from ..inputs.json_input import encodable, read_json, shortened
from .multipart import parse_form
from .operation_routes import Route
from .validation import check_body, check_query

MAX_AGE = 5 * 60
MAX_AHEAD = 30
"""Seconds by which a timestamp can be behind and ahead of the server's clock."""

TOKEN_HEADER = "x-tts-access-token"  # noqa: S105  the header's name
CIPHERS = ("shop_cipher", "category_asset_cipher")

IGNORED_PARAMETERS: Mapping[str, str] = {
    "access_token": f"the token is read from the header {TOKEN_HEADER}",
    "shop_id": "a shop is chosen by its cipher",
    "version": "the version is read from the path",
}
"""Query parameters of older API versions, which published clients still send -> why ignored."""

_COMMON_PARAMETERS = frozenset({"app_key", "timestamp", "sign", *CIPHERS, *IGNORED_PARAMETERS})
_CONTENT_TYPES = {"json": "application/json", "multipart": "multipart/form-data"}


@attrs.frozen
class Received:
    """A request as received, with decoded path and query."""

    path: str
    query_pairs: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    remarks: list[str] = attrs.field(factory=list)
    """Remarks for the log about input that is wrong but accepted."""

    @cached_property
    def content_type(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def signed_body(self) -> bytes:
        """The signed part of the body: nothing of a form, else all of it."""
        if not self.body or self.content_type == _CONTENT_TYPES["multipart"]:
            return b""
        return self.body


class Gateway:
    """The gateway: admits valid calls, and refuses others because of the first failed check."""

    def __init__(self, market: Market, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def admit(self, received: Received, route: Route) -> AdmittedCall:
        """Return the call of a valid request.

        The checks are documented; their order is our choice.
        """
        operation = route.operation
        signed_query = _unique(received.query_pairs)
        app = self._app(signed_query)
        self._check_timestamp(signed_query)
        token_value = _token_header(received)
        _check_signature(app, received, signed_query)
        query = _without_ignored(signed_query, operation, route.version, received.remarks)
        token = self._token(token_value, app, operation)
        shop = self._shop(query, operation, token)
        body, files = _read_body(received, operation)
        check_query(operation, route.version, query, _COMMON_PARAMETERS)
        check_body(operation, route.version, body, files)
        return AdmittedCall(
            operation=operation,
            version=route.version,
            path_params={name: encodable(text) for name, text in route.path_params.items()},
            query=query,
            body=body,
            files=files,
            token=token,
            shop=shop,
        )

    def _app(self, query: Mapping[str, str]) -> App:
        app = self._market.apps.get(query.get("app_key", ""))
        if app is None:
            raise invalid("Invalid app_key: it is missing or unknown.")
        return app

    def _check_timestamp(self, query: Mapping[str, str]) -> None:
        text = query.get("timestamp", "")
        seconds = digits(text)
        if seconds is None:
            raise invalid("Invalid timestamp: it must be in Unix seconds.")
        age = self._clock.time() - seconds
        if age > MAX_AGE:
            raise invalid("Invalid timestamp: it is more than 5 minutes old.")
        if age < -MAX_AHEAD:
            raise invalid("Invalid timestamp: it is more than 30 seconds ahead.")

    def _token(self, value: str, app: App, operation: Operation) -> AccessToken:
        token = self._market.tokens.get(value)
        if token is None or token.app_key != app.key:
            raise Refusal(
                refusals.UNKNOWN_TOKEN, "The access token is invalid.", HTTPStatus.UNAUTHORIZED
            )
        if token.expires_at <= self._clock.time():
            raise Refusal(
                refusals.EXPIRED_TOKEN, "The access token has expired.", HTTPStatus.UNAUTHORIZED
            )
        wanted = user_type_of(operation)
        if token.user_type is not wanted:
            raise Refusal(
                refusals.WRONG_TOKEN_OR_SHOP,
                f"The access token is a {token.user_type.name.lower()}'s; "
                f"this operation requires a {wanted.name.lower()}'s.",
                HTTPStatus.FORBIDDEN,
            )
        scope = scope_of(operation)
        if token.lacks(scope):
            raise Refusal(
                refusals.MISSING_SCOPE,
                f"The access token lacks the scope {scope}, which {operation.id} requires.",
                HTTPStatus.FORBIDDEN,
            )
        return token

    def _shop(
        self, query: Mapping[str, str], operation: Operation, token: AccessToken
    ) -> Shop | None:
        for name in CIPHERS:
            if query.get(name) and name != operation.cipher:
                raise invalid(f"Unexpected parameter {name}: this operation does not accept it.")
        if operation.cipher is None:
            return None
        cipher = query.get(operation.cipher)
        if not cipher:
            raise Refusal(
                refusals.MISSING_CIPHER, f"{operation.cipher} is missing.", HTTPStatus.BAD_REQUEST
            )
        if operation.cipher != "shop_cipher":
            return None
        if cipher not in token.shop_ciphers or cipher not in self._market.shops:
            raise Refusal(
                refusals.WRONG_TOKEN_OR_SHOP,
                "The access token's authorization does not cover this shop.",
                HTTPStatus.FORBIDDEN,
            )
        return self._market.shops[cipher]


def _unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the query by name.

    Our choice: a repeated name is refused, because a list must be one value joined by commas.
    """
    query = dict(pairs)
    if len(query) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in query if names.count(name) > 1)
        raise invalid(
            f"The parameter {repeated} is repeated; a list must be one value joined by commas."
        )
    return query


def _without_ignored(
    query: Mapping[str, str], operation: Operation, version: str, remarks: list[str]
) -> dict[str, str]:
    """Return the query as encodable text, without parameters of older API versions."""
    known = query_fields(operation.id, version)
    kept = {}
    for name, value in query.items():
        if name in IGNORED_PARAMETERS and name not in known:
            remarks.append(f"The query parameter {name} is ignored: {IGNORED_PARAMETERS[name]}.")
        else:
            kept[name] = value
    if "".join((*kept, *kept.values())).isascii():  # the usual case
        return kept
    return {encodable(name): encodable(value) for name, value in kept.items()}


def _token_header(received: Received) -> str:
    value = received.headers.get(TOKEN_HEADER)
    if not value:
        raise invalid(f"The header {TOKEN_HEADER} is missing.")
    return value


def _check_signature(app: App, received: Received, query: Mapping[str, str]) -> None:
    sign = query.get("sign")
    if not sign:
        raise invalid("The parameter sign is missing.")
    if not app.verifier.matches(sign, received.path, received.query_pairs, received.signed_body):
        raise Refusal(
            refusals.WRONG_SIGNATURE,
            "The signature does not match the request; the sandbox's log shows the string to sign.",
            HTTPStatus.UNAUTHORIZED,
        )


def _read_body(
    received: Received, operation: Operation
) -> tuple[Mapping[str, Any], Mapping[str, UploadedFile]]:
    if operation.body is None or (operation.body == "json" and not received.body):
        return {}, {}
    wanted = _CONTENT_TYPES[operation.body]
    if received.content_type != wanted:
        raise Refusal(
            refusals.WRONG_CONTENT_TYPE,
            f"Invalid content type: it must be {wanted}.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    if operation.body == "multipart":
        return parse_form(received.headers["content-type"], received.body)
    return _read_object(received), {}


def _read_object(received: Received) -> Mapping[str, Any]:
    try:
        value = read_json(received.body)
    except ValueError as error:
        raise _unreadable(f"The body is not a JSON object: {error}.") from None
    if value == []:  # PHP's encoding of an object without fields
        received.remarks.append("The body [] is read as the empty object {}.")
        return {}
    if not isinstance(value, dict):
        raise _unreadable(f"The body must be a JSON object, not {shortened(value)}.")
    return value


def _unreadable(message: str) -> Refusal:
    return Refusal(refusals.UNREADABLE_BODY, message, HTTPStatus.BAD_REQUEST)
