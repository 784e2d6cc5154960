"""Many calls at once: bounded, resumable, with an outcome for each."""

from typing import TYPE_CHECKING

from .._lazy import lazy_exports

if TYPE_CHECKING:
    from .batch import Batch, Unfinished
    from .driver import drive
    from .journal import Busy, Claim, Journal, JournalSession, Record
    from .outcome import Outcome
    from .progress import Progress, RichProgress
    from .run import Verdict, run_batch
    from .sql_journal import SQLJournal

__all__ = [
    "Batch",
    "Busy",
    "Claim",
    "Journal",
    "JournalSession",
    "Outcome",
    "Progress",
    "Record",
    "RichProgress",
    "SQLJournal",
    "Unfinished",
    "Verdict",
    "drive",
    "run_batch",
]

_, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Batch": "batch",
        "Busy": "journal",
        "Claim": "journal",
        "Journal": "journal",
        "JournalSession": "journal",
        "Outcome": "outcome",
        "Progress": "progress",
        "Record": "journal",
        "RichProgress": "progress",
        "SQLJournal": "sql_journal",
        "Unfinished": "batch",
        "Verdict": "run",
        "drive": "driver",
        "run_batch": "run",
    },
)
