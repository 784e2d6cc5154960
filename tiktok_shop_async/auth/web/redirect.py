"""What an authorize page leads back with: a code, or a denial."""

from __future__ import annotations

from urllib.parse import parse_qsl

import attrs

from ..._internal.secret import Secret
from ..._internal.unpicklable import Unpicklable
from ...errors import AuthorizationDeniedError, AuthorizationError

_DENIALS = ("auth_denied", "access_denied")
_LONGEST_QUOTE = 60


@attrs.frozen(kw_only=True, slots=False)
class AuthorizationResponse(Unpicklable):
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
    hidden = Secret(url)
    del url  # tracebacks can show local variables, and the code is a secret
    query = _Query(hidden)
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
        code=query.get("code") or "",
        state=state,
        app_key=query.get("app_key") or "",
        locale=query.get("locale") or "",
        shop_region=query.get("shop_region") or "",
    )


class _Query:
    """The parameters of a redirect, with a repr that shows none."""

    def __init__(self, url: Secret) -> None:
        pairs = _pairs(url.value)
        self._values = dict(pairs or ())
        problem = (
            "is too long"
            if pairs is None
            else "has a parameter twice"
            if len(self._values) < len(pairs)
            else None
        )
        del pairs
        if problem is not None:
            raise AuthorizationError(f"the redirect's query {problem}.", operation="oauth.redirect")

    def get(self, name: str) -> str | None:
        return self._values.get(name)


def _pairs(url: str) -> list[tuple[str, str]] | None:
    text = url.partition("#")[0]
    if text.startswith(("http://", "https://", "/", "?")):
        text = text.partition("?")[2]
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return None
