"""What is kept of one authorization, and how it is written."""

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
"""Of what is written; a later one is refused rather than misread."""


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
    """An authorization as it is kept: its token, its shops, and what is known of its state."""

    token: Token
    shops: tuple[AuthorizedShop, ...] = ()
    refreshed_at: datetime | None = None
    refresh_started_at: datetime | None = None
    """Set before a refresh is sent, and taken away with its answer; else that was lost."""
    ended: str | None = None
    """Why the seller has to authorize again, if so."""
    withdrawn: bool = False
    """Whether that is the seller's own will, so that no token which turns up changes it."""

    def to_bytes(self) -> bytes:
        """Return it as a store keeps it, secrets included."""
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
        """Return what `to_bytes` wrote; `TokenStoreError` if it was something else."""
        record = cls._read(value)
        del value  # tracebacks can show local variables
        if isinstance(record, cls):
            return record
        if record is not None:
            raise TokenStoreError(
                f"the store has an authorization in format {record}, "
                f"and this version reads format {FORMAT}.",
                hint="Run one version of tiktok-shop-async on all machines.",
            )
        raise TokenStoreError(
            "the store has something under this key that is no authorization.",
            hint="Use a table, or a key prefix, of its own; and one encryption key.",
        )

    @classmethod
    def _read(cls, value: bytes) -> Self | str | None:
        """Return the record, or its format if that is another one, or None for anything else."""
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
