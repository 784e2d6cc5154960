"""The outcome of cancelling one order."""

from __future__ import annotations

from typing import Any, Final, Self

import attrs

from ...models.return_refund import CancelOrderResult
from ...response import APIResponse
from ..journal.base import Record
from ..outcome import Outcome

CONFIRMED: Final = "confirmed"
PENDING: Final = "pending"
ALREADY_CANCELLED: Final = "already_cancelled"
REFUSED: Final = "refused"
NOT_DONE: Final = "not_done"
UNKNOWN: Final = "unknown"
DUPLICATE: Final = "duplicate"

FINAL = frozenset({CONFIRMED, PENDING, ALREADY_CANCELLED, REFUSED})
"""The final statuses: a journal keeps them, and the order is not sent again."""


@attrs.frozen(kw_only=True)
class CancelOutcome(Outcome[APIResponse[CancelOrderResult]]):
    """The outcome of cancelling one order; ``message`` explains it, ``hint`` says what to do next.

    ``status`` is one of

    - ``"confirmed"``: cancelled by this batch or an earlier run of it;
    - ``"pending"``: requested and not decided yet;
    - ``"already_cancelled"``: cancelled before, by another request;
    - ``"refused"``: not cancelled, and sending it again would not help;
    - ``"not_done"``: not cancelled; run it again;
    - ``"unknown"``: it may be cancelled, and the look-up failed;
    - ``"duplicate"``: the same order, or part, appeared before in the input.
    """

    order_id: str
    cancel_id: str | None = None
    """The id of the cancellation on record, whoever requested it."""

    @property
    def succeeded(self) -> bool:
        """True if the order is cancelled; a pending cancellation is not yet."""
        return self.status in (CONFIRMED, ALREADY_CANCELLED)

    @classmethod
    def of_record(cls, record: Record, **facts: Any) -> Self:
        """Return the outcome of an earlier run from its record in the journal."""
        return cls(
            status=record.status,
            cancel_id=record.details.get("cancel_id"),
            request_id=record.request_id,
            code=record.code,
            message=record.message,
            hint=record.hint,
            attempts=record.attempts,
            resumed=True,
            **facts,
        )

    def as_record(self) -> Record:
        """Return the record of this outcome for a journal."""
        assert self.key is not None, "every order has a key"
        return Record(
            key=self.key,
            status=self.status,
            request_id=self.request_id,
            code=self.code,
            message=self.message,
            hint=self.hint,
            attempts=self.attempts,
            details={"cancel_id": self.cancel_id} if self.cancel_id else {},
        )
