"""Authorizations: codes, rotating refresh tokens, and revocation."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import attrs
from cattrs import Converter

from ..error_responses import EXPIRED_REFRESH_TOKEN, INVALID_CODE, NO_AUTHORIZATION, Refusal
from .access_tokens import AccessToken, TokenRules, UserType, check_texts
from .shop_events import ignore

DAYS_OF_NOTICE = 30
"""Days before an authorization's end at which webhook 7 is sent for the first time."""
_DAY = 86400


@attrs.frozen(kw_only=True)
class Grant:
    """A user's authorization of an app; all its tokens share it."""

    app_key: str
    open_id: str
    user_type: UserType = UserType.SELLER
    name: str = "Sandbox Goods"
    region: str = "US"
    shop_ciphers: frozenset[str] = attrs.field(
        default=frozenset(), repr=False, validator=check_texts
    )
    scopes: frozenset[str] | None = attrs.field(default=None, validator=check_texts)
    """The granted scopes; None means all."""


@attrs.frozen(kw_only=True)
class TokenPair:
    """The tokens that an exchange or a refresh returns."""

    grant: Grant
    access_token: AccessToken
    refresh_token: str = attrs.field(repr=False)
    refresh_token_expires_at: float


@attrs.define(eq=False)
class _Code:
    grant: Grant
    expires_at: float


@attrs.define(eq=False)
class _Refreshable:
    """A token pair, and the pair that replaced it, if any."""

    pair: TokenPair
    successor: TokenPair | None = None
    replaced_at: float = 0.0
    days_of_notice: int = DAYS_OF_NOTICE
    """How many days before its end webhook 7 is sent next."""


class Grants:
    """All codes and refresh tokens; issues access tokens into the dict that the gateway reads.

    The error codes come from clients' reports. Our choice: a replaced refresh token counts as
    expired, and an unknown one as belonging to no authorization.
    """

    def __init__(self, tokens: dict[str, AccessToken], rules: TokenRules) -> None:
        self.rules = rules
        self.refreshes = 0
        """Number of successful refreshes, including those within the grace time."""
        self.refused_refreshes = 0
        self.on_modified: Callable[[Grants], object] = ignore
        """Called after every change of codes, refresh tokens or access tokens."""
        self._tokens = tokens
        self._codes: dict[str, _Code] = {}
        self._refreshable: dict[str, _Refreshable] = {}

    def secrets(self) -> tuple[str, ...]:
        """Return the codes and refresh tokens."""
        return (*self._codes, *self._refreshable)

    def open_code(self, grant: Grant, now: float) -> str:
        """Return a code that can be exchanged once."""
        code = _random_token("code")
        self._codes[code] = _Code(grant, now + self.rules.code_seconds)
        self.on_modified(self)
        return code

    def exchange(self, app_key: str, code: str, now: float) -> TokenPair:
        """Return the first token pair for a code."""
        found = self._codes.get(code)
        if found is None or found.grant.app_key != app_key or found.expires_at <= now:
            raise Refusal(INVALID_CODE, "The authorization code is invalid, expired or used.")
        del self._codes[code]
        return self._issue(found.grant, now)

    def refresh(self, app_key: str, refresh_token: str, now: float) -> TokenPair:
        """Return a token pair that replaces the one of a refresh token."""
        try:
            pair = self._refreshed(app_key, refresh_token, now)
        except Refusal:
            self.refused_refreshes += 1
            raise
        finally:
            self.on_modified(self)
        self.refreshes += 1
        return pair

    def add(self, grant: Grant, access_token: AccessToken, refresh_token: str) -> None:
        """Add a token pair that does not expire until it is replaced."""
        self._store(
            TokenPair(
                grant=grant,
                access_token=access_token,
                refresh_token=refresh_token,
                refresh_token_expires_at=float("inf"),
            )
        )

    def expiring(self, now: float) -> Iterator[tuple[Grant, float]]:
        """Yield the authorizations that end within 30 days with their ends, each once a day.

        An authorization ends with its newest refresh token. Our choice: when several days pass at
        once, it is yielded only once.
        """
        newest: dict[tuple[str, str], _Refreshable] = {}
        for each in self._refreshable.values():
            newest[each.pair.grant.app_key, each.pair.grant.open_id] = each
        for each in newest.values():
            end = each.pair.refresh_token_expires_at
            if 0 < end - now <= each.days_of_notice * _DAY:
                each.days_of_notice = math.ceil((end - now) / _DAY) - 1
                self.on_modified(self)
                yield each.pair.grant, end

    def revoke(self, token: AccessToken) -> None:
        """Delete all codes and tokens that the user of a token granted to its app."""

        def stays(of: Grant | AccessToken) -> bool:
            same_user = (of.app_key, of.open_id) == (token.app_key, token.open_id)
            return of is not token and not (same_user and token.open_id)

        self._codes = {code: each for code, each in self._codes.items() if stays(each.grant)}
        self._refreshable = {
            value: each for value, each in self._refreshable.items() if stays(each.pair.grant)
        }
        for value in [value for value, token in self._tokens.items() if not stays(token)]:
            del self._tokens[value]
        self.on_modified(self)

    def record(self, converter: Converter) -> dict[str, Any]:
        """Return all codes and tokens as JSON."""
        return {
            "tokens": converter.unstructure(self._tokens),
            "codes": converter.unstructure(self._codes),
            "refreshable": converter.unstructure(self._refreshable),
            "refreshes": self.refreshes,
            "refused_refreshes": self.refused_refreshes,
        }

    def restore(self, converter: Converter, record: dict[str, Any]) -> None:
        """Replace all codes and tokens by those of a record."""
        self._tokens.clear()
        self._tokens.update(converter.structure(record["tokens"], dict[str, AccessToken]))
        self._codes = converter.structure(record["codes"], dict[str, _Code])
        self._refreshable = converter.structure(record["refreshable"], dict[str, _Refreshable])
        self.refreshes = record["refreshes"]
        self.refused_refreshes = record["refused_refreshes"]

    def _refreshed(self, app_key: str, refresh_token: str, now: float) -> TokenPair:
        found = self._refreshable.get(refresh_token)
        if found is None or found.pair.grant.app_key != app_key:
            raise Refusal(NO_AUTHORIZATION, "The refresh token belongs to no authorization.")
        if found.successor is not None:
            if now < found.replaced_at + self.rules.refresh_grace_seconds:
                return found.successor
            raise Refusal(EXPIRED_REFRESH_TOKEN, "The refresh token was used and replaced.")
        if found.pair.refresh_token_expires_at <= now:
            raise Refusal(EXPIRED_REFRESH_TOKEN, "The refresh token has expired.")
        old = found.pair.access_token
        if self.rules.old_access_token_stops and old.value in self._tokens:
            self._tokens[old.value] = attrs.evolve(old, expires_at=now)
        found.successor, found.replaced_at = self._issue(found.pair.grant, now), now
        return found.successor

    def _issue(self, grant: Grant, now: float) -> TokenPair:
        pair = TokenPair(
            grant=grant,
            access_token=AccessToken(
                value=_random_token("token"),
                app_key=grant.app_key,
                user_type=grant.user_type,
                expires_at=now + self.rules.access_token_seconds,
                shop_ciphers=grant.shop_ciphers,
                scopes=grant.scopes,
                open_id=grant.open_id,
            ),
            refresh_token=_random_token("refresh"),
            refresh_token_expires_at=now + self.rules.refresh_token_seconds,
        )
        self._store(pair)
        return pair

    def _store(self, pair: TokenPair) -> None:
        self._tokens[pair.access_token.value] = pair.access_token
        self._refreshable[pair.refresh_token] = _Refreshable(pair)
        self.on_modified(self)


def _random_token(kind: str) -> str:
    return f"SANDBOX_{kind}-{secrets.token_hex(16)}"


def open_id_of(app_key: str, user_type: UserType) -> str:
    """Return the open id of the sandbox's user of a type, which is different for each app."""
    return f"SANDBOX_{user_type.name.lower()}-of-{app_key}"
