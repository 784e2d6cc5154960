"""What an authorize page leads back with: a code, or a denial."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import attrs

from .._not_pickled import NotPickled
from ..errors import AuthorizationDeniedError, AuthorizationError

_DENIALS = ("auth_denied", "access_denied")
_LONGEST_QUOTE = 60


@attrs.frozen(kw_only=True, slots=False)
class AuthorizationResponse(NotPickled):
    """A user's consent: the code that `TikTokShopOAuth.exchange` takes, and what came with it."""

    code: str = attrs.field(repr=False)
    state: str | None = attrs.field(default=None, repr=False)
    """As it came back; nothing here is to be believed before `StateSigner.check`."""
    app_key: str = ""
    locale: str = ""
    shop_region: str = ""


def parse_redirect(url: str) -> AuthorizationResponse:
    """Return what the redirect brought, from its whole URL or its query.

    `AuthorizationDeniedError` if the user said no; `AuthorizationError` if there is neither a code
    nor a denial, or twice the same parameter.
    """
    query = _query_of(url)
    state = query.get("state")
    reason = query.get("error")
    if reason is not None:
        if reason in _DENIALS:
            raise AuthorizationDeniedError(
                "the user did not authorize the app.", operation="oauth.redirect", state=state
            )
        raise AuthorizationError(
            f"the authorize page reports an error: {reason[:_LONGEST_QUOTE]!a}.",
            operation="oauth.redirect",
            state=state,
        )
    if not query.get("code"):
        raise AuthorizationError(
            "the redirect brings neither a code nor an error.",
            operation="oauth.redirect",
            state=state,
            hint="Give the URL that the browser was sent to, or all of its query.",
        )
    return AuthorizationResponse(
        code=query["code"],
        state=state,
        app_key=query.get("app_key", ""),
        locale=query.get("locale", ""),
        shop_region=query.get("shop_region", ""),
    )


def _query_of(url: str) -> Mapping[str, str]:
    text = url.partition("#")[0]
    if text.startswith(("http://", "https://", "/", "?")):
        text = text.partition("?")[2]
    query: dict[str, str] = {}
    for name, value in _pairs(text):
        if name in query:
            raise AuthorizationError(
                "the redirect's query has a parameter twice.", operation="oauth.redirect"
            )
        query[name] = value
    return query


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        pass
    raise AuthorizationError("the redirect's query is too long.", operation="oauth.redirect")
