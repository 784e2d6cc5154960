"""What became of one request of a batch."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import attrs

from .._internal.personal_data import masked_repr
from ..errors import TikTokShopError

T = TypeVar("T")

SUCCEEDED = "succeeded"
FAILED = "failed"
UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class Outcome(Generic[T]):
    """What became of one request.

    ``status`` is ``"succeeded"``, ``"failed"`` (surely not done: refused, or not sent) or
    ``"unknown"`` (a write that may have happened).
    """

    index: int
    """Place of the request in the input, from 0."""
    key: str | None = None
    request: Any = attrs.field(repr=masked_repr)
    """As it was in the input."""
    status: str
    response: T | None = attrs.field(default=None, repr=False)
    """What the call returned; None unless it succeeded now, in this run."""
    error: TikTokShopError | None = None
    """What the call raised; None for an outcome of an earlier run, whose facts are below."""
    attempts: int = 0
    """How often it was sent, or was about to be."""
    elapsed: float = 0.0
    """Seconds from its turn to its outcome, waits included."""
    resumed: bool = False
    """It was in the journal already: nothing was sent now."""
    request_id: str = ""
    code: int | None = None
    """The service's code: 0 for success, None where there was no answer."""
    message: str = ""
    hint: str | None = None
    """What to do next."""

    @property
    def succeeded(self) -> bool:
        """Whether the call surely took effect."""
        return self.status == SUCCEEDED


def facts_of(source: object) -> dict[str, Any]:
    """Return the flat facts that an answer or an error has, by the names of `Outcome`'s fields."""
    return {
        "request_id": getattr(source, "request_id", None) or "",
        "code": getattr(source, "code", None),
        "message": getattr(source, "message", None) or "",
        "hint": getattr(source, "hint", None),
    }
