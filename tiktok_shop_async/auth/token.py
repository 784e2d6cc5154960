"""The access and refresh token of an authorization."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Self

import attrs

from .._internal.secret import Secret, problem_of
from .._internal.unpicklable import Unpicklable


class UserType(IntEnum):
    """The kind of user that authorized the app; 4 and 5 are kinds of global sellers."""

    SELLER = 0
    CREATOR = 1
    PARTNER = 3


@attrs.frozen(kw_only=True, slots=False, init=False)
class Token(Unpicklable):
    """An access token with its refresh token; the four values change together or not at all.

    Source: the pages ``authorization-overview-202407`` and ``generate-test-access-token``.
    """

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    access_token_expires_at: datetime
    """By default seven days after it was issued."""
    refresh_token_expires_at: datetime
    """The end of the authorization that the seller granted."""
    open_id: str = ""
    """The id of the user for this app, the same in all tokens of an authorization."""
    seller_name: str = ""
    seller_base_region: str = ""
    user_type: int = UserType.SELLER
    """A `UserType`, or a number that the service has added."""
    granted_scopes: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        access_token: str,
        refresh_token: str,
        access_token_expires_at: datetime,
        refresh_token_expires_at: datetime,
        open_id: str = "",
        seller_name: str = "",
        seller_base_region: str = "",
        user_type: int = UserType.SELLER,
        granted_scopes: tuple[str, ...] = (),
    ) -> None:
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue] - attrs makes it
            access_token=access_token,
            refresh_token=refresh_token,
            access_token_expires_at=access_token_expires_at,
            refresh_token_expires_at=refresh_token_expires_at,
            open_id=open_id,
            seller_name=seller_name,
            seller_base_region=seller_base_region,
            user_type=user_type,
            granted_scopes=granted_scopes,
        )
        # Not by validators: a traceback would show the values in the frame of `__attrs_init__`.
        del access_token, refresh_token
        Secret(self.access_token).required("access_token")
        Secret(self.refresh_token).required("refresh_token")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the token in the JSON of the service or of `as_document`.

        Raises:
            ValueError: A required field is missing or not valid; the message names it.
        """
        fields = _Fields(document)
        del document  # tracebacks can show local variables
        return cls(
            access_token=fields.credential("access_token"),
            refresh_token=fields.credential("refresh_token"),
            access_token_expires_at=_moment(fields, "access_token_expire_in"),
            refresh_token_expires_at=_moment(fields, "refresh_token_expire_in"),
            open_id=fields.text("open_id"),
            seller_name=fields.text("seller_name"),
            seller_base_region=fields.text("seller_base_region"),
            user_type=_number(fields.get("user_type") or 0, "user_type"),
            granted_scopes=_scopes(fields.get("granted_scopes")),
        )

    def completed_by(self, old: Token) -> Self:
        """Return this token with its empty fields taken from the previous one."""
        return attrs.evolve(
            self,
            open_id=self.open_id or old.open_id,
            seller_name=self.seller_name or old.seller_name,
            seller_base_region=self.seller_base_region or old.seller_base_region,
            user_type=self.user_type or old.user_type,
            granted_scopes=self.granted_scopes or old.granted_scopes,
        )

    def as_document(self) -> dict[str, Any]:
        """Return the token as JSON with the service's field names, including the secrets."""
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            # Unix seconds, despite the names.
            "access_token_expire_in": int(self.access_token_expires_at.timestamp()),
            "refresh_token_expire_in": int(self.refresh_token_expires_at.timestamp()),
            "open_id": self.open_id,
            "seller_name": self.seller_name,
            "seller_base_region": self.seller_base_region,
            "user_type": int(self.user_type),
            "granted_scopes": list(self.granted_scopes),
        }


_EARLIEST = 1_000_000_000
"""Unix seconds of the year 2001; a smaller number is a duration, not a time."""
_LATEST = 253_402_300_799  # the end of the year 9999, the maximum of datetime


class _Fields:
    """The fields of a token's JSON, which the repr does not show."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def get(self, name: str) -> Any:
        return self._document.get(name)

    def text(self, name: str) -> str:
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def credential(self, name: str) -> str:
        if not self.text(name):
            raise ValueError(f"{name} is missing")
        problem = problem_of(self.text(name))
        if problem is not None:
            raise ValueError(f"{name} {problem}")
        return self.text(name)


def _number(value: Any, name: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is not a number") from None


def _moment(fields: _Fields, name: str) -> datetime:
    seconds = _number(fields.get(name), name)
    if seconds < _EARLIEST:
        raise ValueError(f"{name} is not a Unix time")
    return datetime.fromtimestamp(min(seconds, _LATEST), UTC)


def _scopes(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
