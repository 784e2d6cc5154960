"""The outcome of one request of a batch."""

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
    """The outcome of one request.

    ``status`` is ``"succeeded"``, ``"failed"`` (rejected, or not sent: it had no effect) or
    ``"unknown"`` (a write that may have been processed).
    """

    index: int
    """The position of the request in the input, from 0."""
    key: str | None = None
    request: Any = attrs.field(repr=masked_repr)
    """The request as it was in the input."""
    status: str
    response: T | None = attrs.field(default=None, repr=False)
    """The return value of the call; None unless it succeeded in this run."""
    error: TikTokShopError | None = None
    """The error that the call raised; None for an outcome of an earlier run."""
    attempts: int = 0
    """The number of attempts to send it."""
    elapsed: float = 0.0
    """Seconds from its start to its outcome, including waits."""
    resumed: bool = False
    """True if the outcome comes from the journal and nothing was sent in this run."""
    request_id: str = ""
    code: int | None = None
    """The code of the response: 0 for success; None without a response."""
    message: str = ""
    hint: str | None = None
    """A suggestion for what to do next, or None."""

    @property
    def succeeded(self) -> bool:
        """True if the call is known to have taken effect."""
        return self.status == SUCCEEDED


def facts_of(source: object) -> dict[str, Any]:
    """Return the code, texts and id of a response or an error, by the field names of `Outcome`."""
    return {
        "request_id": getattr(source, "request_id", None) or "",
        "code": getattr(source, "code", None),
        "message": getattr(source, "message", None) or "",
        "hint": getattr(source, "hint", None),
    }
