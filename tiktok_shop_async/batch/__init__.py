"""Many calls at once: bounded, resumable, with an outcome for each."""

from typing import TYPE_CHECKING

from .._lazy import lazy_exports

if TYPE_CHECKING:
    from .batch import Batch, Unfinished
    from .cancel_orders import cancel_orders
    from .cancel_outcome import CancelOutcome
    from .driver import drive
    from .journal import Busy, Claim, Journal, JournalSession, Record
    from .order_lookup import OrderLookup
    from .order_to_cancel import OrderToCancel
    from .outcome import Outcome
    from .progress import Progress, RichProgress
    from .reasons import CancelReason
    from .resolution import Resolution
    from .resolving import resolve_cancellation
    from .run import Verdict, run_batch
    from .sql_journal import SQLJournal

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
        "Busy": "journal",
        "CancelOutcome": "cancel_outcome",
        "CancelReason": "reasons",
        "Claim": "journal",
        "Journal": "journal",
        "JournalSession": "journal",
        "OrderLookup": "order_lookup",
        "OrderToCancel": "order_to_cancel",
        "Outcome": "outcome",
        "Progress": "progress",
        "Record": "journal",
        "RichProgress": "progress",
        "Resolution": "resolution",
        "SQLJournal": "sql_journal",
        "Unfinished": "batch",
        "Verdict": "run",
        "cancel_orders": "cancel_orders",
        "drive": "driver",
        "resolve_cancellation": "resolving",
        "run_batch": "run",
    },
)
