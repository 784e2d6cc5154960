"""What became of one order that should be cancelled."""

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
"""What a journal keeps: an order with one of these is not touched again."""


@attrs.frozen(kw_only=True)
class CancelOutcome(Outcome[APIResponse[CancelOrderResult]]):
    """What became of one order; ``message`` says why, and ``hint`` what to do next.

    ``status`` is one of

    - ``"confirmed"``: cancelled, by this batch or an earlier run of it;
    - ``"pending"``: requested, and not decided yet;
    - ``"already_cancelled"``: was so before;
    - ``"refused"``: not cancelled, and sending it again would not help;
    - ``"not_done"``: surely not cancelled; simply run it again;
    - ``"unknown"``: it may be cancelled, and the shop could not be asked;
    - ``"duplicate"``: came before in the input, and was left out here.
    """

    order_id: str
    cancel_id: str | None = None
    """Of the cancellation that is on record, whoever asked for it."""

    @property
    def succeeded(self) -> bool:
        """Whether it is surely cancelled; what is pending is not yet."""
        return self.status in (CONFIRMED, ALREADY_CANCELLED)

    @classmethod
    def of_record(cls, record: Record, **facts: Any) -> Self:
        """Return what a journal has of an earlier run."""
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
        """Return what a journal keeps of it."""
        assert self.key is not None, "each order has one"
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
