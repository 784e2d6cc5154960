"""Batches of calls: concurrent, resumable, with an outcome for each call."""

from typing import TYPE_CHECKING

from .._internal.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .batch import Batch, Unfinished
    from .cancellation.cancel_orders import cancel_orders
    from .cancellation.cancel_outcome import CancelOutcome
    from .cancellation.cancel_reasons import CancelReason
    from .cancellation.order_lookup import OrderLookup
    from .cancellation.order_to_cancel import OrderToCancel
    from .cancellation.resolution import Resolution
    from .cancellation.resolving import resolve_cancellation
    from .engine import drive
    from .journal.base import Busy, Claim, Journal, JournalSession, Record
    from .journal.sql import SQLJournal
    from .outcome import Outcome
    from .progress import Progress, RichProgress
    from .run import Verdict, run_batch

    __all__ = [
        "Batch",
        "Busy",
        "CancelOutcome",
        "CancelReason",
        "Claim",
        "Journal",
        "JournalSession",
        "OrderLookup",
        "OrderToCancel",
        "Outcome",
        "Progress",
        "Record",
        "Resolution",
        "RichProgress",
        "SQLJournal",
        "Unfinished",
        "Verdict",
        "cancel_orders",
        "drive",
        "resolve_cancellation",
        "run_batch",
    ]

_, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Batch": "batch",
        "Busy": "journal.base",
        "CancelOutcome": "cancellation.cancel_outcome",
        "CancelReason": "cancellation.cancel_reasons",
        "Claim": "journal.base",
        "Journal": "journal.base",
        "JournalSession": "journal.base",
        "OrderLookup": "cancellation.order_lookup",
        "OrderToCancel": "cancellation.order_to_cancel",
        "Outcome": "outcome",
        "Progress": "progress",
        "Record": "journal.base",
        "RichProgress": "progress",
        "Resolution": "cancellation.resolution",
        "SQLJournal": "journal.sql",
        "Unfinished": "batch",
        "Verdict": "run",
        "cancel_orders": "cancellation.cancel_orders",
        "drive": "engine",
        "resolve_cancellation": "cancellation.resolving",
        "run_batch": "run",
    },
)
