"""What stands before every operation: the platform's checks, in one place and in one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any

import attrs

from ...pipeline.operation import Operation
from .. import error_responses as refusals
from ..arguments import digits
from ..domain.market import AccessToken, App, Market
from ..domain.scopes import scope_of, user_type_of
from ..domain.shop import Shop
from ..error_responses import Refusal, invalid
from ..json_input import encodable, read_json, shortened
from .multipart import UploadedFile, parse_form
from .routes import Route
from .validation import check_body, check_query, query_fields

OLDEST = 5 * 60
NEWEST = 30
"""Seconds that a timestamp may lie behind and ahead of the server's clock."""

TOKEN_HEADER = "x-tts-access-token"  # noqa: S105  the header's name
CIPHERS = ("shop_cipher", "category_asset_cipher")

IGNORED_PARAMETERS: Mapping[str, str] = {
    "access_token": f"the token is read from the header {TOKEN_HEADER}",
    "shop_id": "a shop is chosen by its cipher",
    "version": "the version is read from the path",
}
"""Query parameters of older API versions, which published clients still send -> why not used."""

_COMMON_PARAMETERS = frozenset({"app_key", "timestamp", "sign", *CIPHERS, *IGNORED_PARAMETERS})
_CONTENT_TYPES = {"json": "application/json", "multipart": "multipart/form-data"}


@attrs.frozen
class Received:
    """A request as it arrived, with its path and query decoded."""

    path: str
    query_pairs: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    remarks: list[str] = attrs.field(factory=list)
    """What was accepted although it is not right, for the log."""

    @cached_property
    def content_type(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def signed_body(self) -> bytes:
        """What of the body belongs to the signature: nothing of a form."""
        if not self.body or self.content_type == _CONTENT_TYPES["multipart"]:
            return b""
        return self.body


@attrs.frozen(kw_only=True)
class AdmittedCall:
    """A call that passed all checks."""

    operation: Operation
    version: str
    path_params: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    files: Mapping[str, UploadedFile]
    token: AccessToken
    shop: Shop | None


class Gateway:
    """Admits calls, or refuses them for the first thing that is wrong."""

    def __init__(self, market: Market, clock: Callable[[], float]) -> None:
        self._market = market
        self._clock = clock

    def admit(self, received: Received, route: Route) -> AdmittedCall:
        """Check everything about a request but its path, which its route has settled.

        That the documents name these checks is a fact, their order is our choice: first what is
        needed to check anything, then who calls, then what is asked.
        """
        operation = route.operation
        signed_query = _unrepeated(received.query_pairs)
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
            raise invalid("Invalid timestamp: Unix seconds are needed.")
        age = self._clock() - seconds
        if age > OLDEST:
            raise invalid("Invalid timestamp: it is more than 5 minutes old.")
        if age < -NEWEST:
            raise invalid("Invalid timestamp: it is more than 30 seconds ahead.")

    def _token(self, value: str, app: App, operation: Operation) -> AccessToken:
        token = self._market.tokens.get(value)
        if token is None or token.app_key != app.key:
            raise Refusal(
                refusals.UNKNOWN_TOKEN, "The access token is invalid.", HTTPStatus.UNAUTHORIZED
            )
        if token.expires_at <= self._clock():
            raise Refusal(
                refusals.EXPIRED_TOKEN, "The access token has expired.", HTTPStatus.UNAUTHORIZED
            )
        wanted = user_type_of(operation)
        if token.user_type is not wanted:
            raise Refusal(
                refusals.WRONG_TOKEN_OR_SHOP,
                f"The access token is a {token.user_type.name.lower()}'s; "
                f"this operation needs a {wanted.name.lower()}'s.",
                HTTPStatus.FORBIDDEN,
            )
        scope = scope_of(operation)
        if token.lacks(scope):
            raise Refusal(
                refusals.MISSING_SCOPE,
                f"The access token lacks the scope {scope}, which {operation.id} needs.",
                HTTPStatus.FORBIDDEN,
            )
        return token

    def _shop(
        self, query: Mapping[str, str], operation: Operation, token: AccessToken
    ) -> Shop | None:
        for name in CIPHERS:
            if query.get(name) and name != operation.cipher:
                raise invalid(f"Unexpected parameter {name}: this operation takes none.")
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


def _unrepeated(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the query by name; that a repeated name is refused is our choice.

    A list is one value joined by commas, and reading one of several would hide the slip.
    """
    query = dict(pairs)
    if len(query) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in query if names.count(name) > 1)
        raise invalid(
            f"The parameter {repeated} is repeated; a list is one value joined by commas."
        )
    return query


def _without_ignored(
    query: Mapping[str, str], operation: Operation, version: str, remarks: list[str]
) -> dict[str, str]:
    """Return the query as encodable text, without parameters that only older versions had."""
    known = query_fields(operation.id, version)
    kept = {}
    for name, value in query.items():
        if name in IGNORED_PARAMETERS and name not in known:
            remarks.append(f"The query parameter {name} is ignored: {IGNORED_PARAMETERS[name]}.")
        else:
            kept[name] = value
    if "".join((*kept, *kept.values())).isascii():  # which most are, and no text needs a look
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
            f"Invalid content type: {wanted} is needed.",
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
    if value == []:  # how PHP writes an object without fields
        received.remarks.append("The body [] is read as the empty object {}.")
        return {}
    if not isinstance(value, dict):
        raise _unreadable(f"The body is not a JSON object but {shortened(value)}.")
    return value


def _unreadable(message: str) -> Refusal:
    return Refusal(refusals.UNREADABLE_BODY, message, HTTPStatus.BAD_REQUEST)
