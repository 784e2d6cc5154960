"""Access tokens: who granted what to an app, and for which shops."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import attrs

from ..._internal.argument_checks import parse_texts


class UserType(IntEnum):
    """Whose authorization a token stands for."""

    SELLER = 0
    CREATOR = 1
    PARTNER = 3


def check_texts(_: Any, attribute: attrs.Attribute[Any], value: object) -> None:
    """Reject anything but None and texts, above all a single one; an attrs validator."""
    if value is not None:
        parse_texts(value, attribute.name)


@attrs.frozen(kw_only=True)
class AccessToken:
    """What a user granted to an app."""

    value: str = attrs.field(repr=False)
    app_key: str
    user_type: UserType = UserType.SELLER
    expires_at: float = float("inf")
    shop_ciphers: frozenset[str] = attrs.field(
        default=frozenset(), repr=False, validator=check_texts
    )
    scopes: frozenset[str] | None = attrs.field(default=None, validator=check_texts)
    """The scopes that were granted; None stands for all."""
    open_id: str = ""
    """Whose authorization it belongs to; a token without one stands alone."""

    def lacks(self, scope: str | None) -> bool:
        """Return whether a scope is needed that was not granted."""
        return scope is not None and self.scopes is not None and scope not in self.scopes


@attrs.frozen(kw_only=True)
class TokenRules:
    """How long codes and tokens work. The first two are documented, the others our choice."""

    code_seconds: float = 30 * 60
    access_token_seconds: float = 7 * 86400
    refresh_token_seconds: float = 365 * 86400
    """The platform's lasts as long as the seller granted."""
    refresh_grace_seconds: float = 0.0
    """How long a refresh token is still taken after its first use; it then gives the same pair."""
    old_access_token_stops: bool = False
    """Whether a refresh ends the access token before it; else that one works until it expires."""
