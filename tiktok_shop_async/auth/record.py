"""The stored record of an authorization, and its serialization."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Self

import attrs

from .._internal.secret import problem_of
from .._internal.unpicklable import Unpicklable
from ..errors import TokenStoreError
from .token import Token

FORMAT = 1
"""The version of the serialization; later ones are rejected."""


@attrs.frozen(kw_only=True, slots=False)
class AuthorizedShop(Unpicklable):
    """A shop that an authorization covers."""

    id: str
    cipher: str = attrs.field(repr=False)
    code: str = ""
    name: str = ""
    region: str = ""
    seller_type: str = ""


@attrs.frozen(kw_only=True, slots=False)
class AuthorizationRecord(Unpicklable):
    """An authorization as it is stored: its token, its shops and its state."""

    token: Token
    shops: tuple[AuthorizedShop, ...] = ()
    refreshed_at: datetime | None = None
    refresh_started_at: datetime | None = None
    """Set before a refresh is sent and cleared by its response; otherwise that was lost."""
    ended: str | None = None
    """The reason why the seller must authorize again; None if that is not the case."""
    withdrawn: bool = False
    """True if the seller withdrew it, so that a late token does not put it in force again."""

    def to_bytes(self) -> bytes:
        """Return the record for a store, including secrets."""
        document = {
            "format": FORMAT,
            "token": self.token.as_document(),
            "shops": [attrs.asdict(shop) for shop in self.shops],
            "refreshed_at": _seconds(self.refreshed_at),
            "refresh_started_at": _seconds(self.refresh_started_at),
            "ended": self.ended,
            "withdrawn": self.withdrawn,
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> Self:
        """Return the record that `to_bytes` wrote; raise `TokenStoreError` for anything else."""
        record = cls._read(value)
        del value  # tracebacks can show local variables
        if isinstance(record, cls):
            return record
        if record is not None:
            raise TokenStoreError(
                f"the stored authorization has format {record}, "
                f"but this version reads format {FORMAT}.",
                hint="Run the same version of tiktok-shop-async on all machines.",
            )
        raise TokenStoreError(
            "the stored value is not an authorization.",
            hint="Use a separate table or key prefix, and the same encryption keys everywhere.",
        )

    @classmethod
    def _read(cls, value: bytes) -> Self | str | None:
        """Return the record; its format if that is not `FORMAT`; None for anything else."""
        try:
            document = json.loads(value)
            if document["format"] != FORMAT:
                return str(document["format"])[:20]
            shops = tuple(AuthorizedShop(**shop) for shop in document["shops"])
            if any(problem_of(shop.cipher) for shop in shops):
                return None
            return cls(
                token=Token.from_document(document["token"]),
                shops=shops,
                refreshed_at=_moment(document["refreshed_at"]),
                refresh_started_at=_moment(document["refresh_started_at"]),
                ended=document["ended"],
                withdrawn=document["withdrawn"],
            )
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError):
            return None


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: Any) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
