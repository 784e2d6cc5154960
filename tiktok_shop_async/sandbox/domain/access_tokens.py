"""Access tokens with their users, scopes and shops."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import attrs

from ..._internal.argument_checks import parse_texts


class UserType(IntEnum):
    """The type of user that a token belongs to."""

    SELLER = 0
    CREATOR = 1
    PARTNER = 3


def check_texts(_: Any, attribute: attrs.Attribute[Any], value: object) -> None:
    """Reject anything but None and an iterable of strings: a validator of attrs."""
    if value is not None:
        parse_texts(value, attribute.name)


@attrs.frozen(kw_only=True)
class AccessToken:
    """An access token that a user granted to an app."""

    value: str = attrs.field(repr=False)
    app_key: str
    user_type: UserType = UserType.SELLER
    expires_at: float = float("inf")
    shop_ciphers: frozenset[str] = attrs.field(
        default=frozenset(), repr=False, validator=check_texts
    )
    scopes: frozenset[str] | None = attrs.field(default=None, validator=check_texts)
    """The granted scopes; None means all."""
    open_id: str = ""
    """The user whose authorization it belongs to; empty for a token without one."""

    def lacks(self, scope: str | None) -> bool:
        """Return whether a required scope was not granted."""
        return scope is not None and self.scopes is not None and scope not in self.scopes


@attrs.frozen(kw_only=True)
class TokenRules:
    """Lifetimes of codes and tokens. The first two are documented, the others are our choice."""

    code_seconds: float = 30 * 60
    access_token_seconds: float = 7 * 86400
    refresh_token_seconds: float = 365 * 86400
    """On the platform it depends on the duration that the seller granted."""
    refresh_grace_seconds: float = 0.0
    """How long a used refresh token is still accepted; it then returns the same token pair."""
    old_access_token_stops: bool = False
    """Whether a refresh invalidates the previous access token at once."""
