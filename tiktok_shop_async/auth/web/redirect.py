"""The redirect of an authorize page: a code or a denial."""

from __future__ import annotations

from urllib.parse import parse_qsl

import attrs

from ..._internal.secret import Secret
from ..._internal.unpicklable import Unpicklable
from ...errors import AuthorizationDeniedError, AuthorizationError

_DENIALS = ("auth_denied", "access_denied")
_MAX_QUOTE = 60


@attrs.frozen(kw_only=True, slots=False)
class AuthorizationResponse(Unpicklable):
    """A user's consent: the code for `TikTokShopOAuth.exchange` and the other parameters."""

    code: str = attrs.field(repr=False)
    state: str | None = attrs.field(default=None, repr=False)
    """The state of the redirect; trust none of these values before `StateSigner.check`."""
    app_key: str = ""
    locale: str = ""
    shop_region: str = ""


def parse_redirect(url: str) -> AuthorizationResponse:
    """Return the parameters of a redirect, from its URL or its query.

    Raises:
        AuthorizationDeniedError: The user did not consent.
        AuthorizationError: The redirect has neither a code nor a denial, or a parameter twice.
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
            f"the authorize page reported an error: {reason[:_MAX_QUOTE]!a}.",
            operation="oauth.redirect",
            state=state,
        )
    if not query.get("code"):
        raise AuthorizationError(
            "the redirect has neither a code nor an error.",
            operation="oauth.redirect",
            state=state,
            hint="Pass the URL to which the browser was redirected, or its whole query.",
        )
    return AuthorizationResponse(
        code=query.get("code") or "",
        state=state,
        app_key=query.get("app_key") or "",
        locale=query.get("locale") or "",
        shop_region=query.get("shop_region") or "",
    )


class _Query:
    """The parameters of a redirect, which the repr does not show."""

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
