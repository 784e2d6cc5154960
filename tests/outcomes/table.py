"""The table of outcomes, as data.

Each row stands for all its combinations. `cells` yields them, without those that `pruned` excludes.
``python -m outcomes.page`` (in ``tests/``) writes it to ``docs/outcomes.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import product

import attrs

from tiktok_shop_async.pipeline.attempt_end import AttemptEnd


class Kind(StrEnum):
    """The effect of the operation, and whether it takes an idempotency key."""

    READ = "read"
    WRITE = "write"
    KEYED = "keyed write"


class Earlier(StrEnum):
    """The attempt before this one."""

    NONE = "none"
    UNPROCESSED = "refused"
    LOST = "lost"


class End(StrEnum):
    """The end of the attempt."""

    NOT_CONNECTED = "not connected"
    HANDSHAKE = "connected, nothing written"
    CONNECTING = "still connecting"
    PARTLY = "partly written"
    HANGING = "written, response awaited"
    NO_RESPONSE = "written, connection lost"
    TIMEOUT = "written, timeout"
    BROKEN_OFF = "response cut off"
    DAMAGED = "response without an envelope"
    GATEWAY = "502 of a gateway"
    GATEWAY_401 = "HTTP 401 around code 0"
    INTERNAL = "36009003"
    UNLISTED = "unlisted code, text names a failure"
    REFUSED = "refused (25001021)"
    FORBIDDEN = "refused (105005)"
    EXPIRED = "token expired (105002)"
    THROTTLED = "throttled (36009002)"
    QUOTA = "quota used up (36009037)"
    ODD = "code 0, malformed data"
    SUCCEEDED = "code 0"


class Meanwhile(StrEnum):
    """The event during the attempt, or while the call waits after it."""

    NOTHING = "nothing else"
    NO_RETRY_LEFT = "no retry is left"
    TOKEN_REFRESHED = "the token is refreshed"
    REFRESH_FAILED = "the refresh fails"
    OTHER_TOKEN = "the store has another token"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    CLOSED = "the client is closed"
    CALLBACK_RAISES = "the retry policy raises"
    LEASE_LOST = "the journal's lease is lost"


class Report(StrEnum):
    """The result of the call: a response or an exception."""

    RESPONSE = "the response"
    OWN = "the attempt's error"
    UNKNOWN = "`OutcomeUnknownError`"
    RAISED = "the other error"
    TIMEOUT = "`RequestTimeoutError`"
    CLOSED = "`ClientClosedError`"
    CANCELLED = "`CancelledError`"


class Journal(StrEnum):
    """The entry in the journal of a batch afterwards."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    KEPT = "maybe sent"
    RELEASED = "nothing"
    OTHERS = "the other process's entry"


CLASS = {
    End.NOT_CONNECTED: AttemptEnd.NOT_SENT,
    End.HANDSHAKE: AttemptEnd.NOT_SENT,
    End.CONNECTING: AttemptEnd.NOT_SENT,
    End.PARTLY: AttemptEnd.UNKNOWN,
    End.HANGING: AttemptEnd.UNKNOWN,
    End.NO_RESPONSE: AttemptEnd.UNKNOWN,
    End.TIMEOUT: AttemptEnd.UNKNOWN,
    End.BROKEN_OFF: AttemptEnd.UNKNOWN,
    End.DAMAGED: AttemptEnd.UNKNOWN,
    End.GATEWAY: AttemptEnd.UNKNOWN,
    End.GATEWAY_401: AttemptEnd.UNKNOWN,
    End.INTERNAL: AttemptEnd.UNKNOWN,
    End.UNLISTED: AttemptEnd.UNKNOWN,
    End.REFUSED: AttemptEnd.REFUSED,
    End.FORBIDDEN: AttemptEnd.REFUSED,
    End.EXPIRED: AttemptEnd.REFUSED,
    End.THROTTLED: AttemptEnd.THROTTLED,
    End.QUOTA: AttemptEnd.THROTTLED,
    End.ODD: AttemptEnd.SUCCEEDED,
    End.SUCCEEDED: AttemptEnd.SUCCEEDED,
}
"""The class that the pipeline assigns to each end."""

UNSENT = (End.NOT_CONNECTED, End.HANDSHAKE)
LOST = (
    End.PARTLY,
    End.NO_RESPONSE,
    End.TIMEOUT,
    End.BROKEN_OFF,
    End.GATEWAY,
    End.INTERNAL,
    End.UNLISTED,
)
OPEN = (End.DAMAGED, End.GATEWAY_401)
"""Ends of unknown outcome that a further attempt would repeat."""
UNDER_WAY = (End.CONNECTING, End.HANGING)
UNPROCESSED = (*UNSENT, End.THROTTLED)
"""Retried in any case."""
NOT_PROCESSED = (*UNPROCESSED, End.EXPIRED, End.CONNECTING)
"""Ends after which the attempt is known to be unprocessed, whatever interrupts the call."""

ANY_KIND, ANY_EARLIER = tuple(Kind), tuple(Earlier)
READS, WRITES, KEYED = (Kind.READ,), (Kind.WRITE,), (Kind.KEYED,)
NO_READS = (Kind.WRITE, Kind.KEYED)
NOT_LOST = (Earlier.NONE, Earlier.UNPROCESSED)
AFTER_LOST = (Earlier.LOST,)
M, R, J = Meanwhile, Report, Journal


@attrs.frozen
class Row:
    """Combinations with the same outcome."""

    ends: tuple[End, ...]
    kinds: tuple[Kind, ...]
    earlier: tuple[Earlier, ...]
    meanwhile: tuple[Meanwhile, ...]
    report: Report
    again: bool
    journal: Journal


@attrs.frozen
class Cell:
    """One combination."""

    end: End
    kind: Kind
    earlier: Earlier
    meanwhile: Meanwhile

    def __str__(self) -> str:
        return ", ".join((self.end, self.kind, f"earlier: {self.earlier}", self.meanwhile))


def row(
    ends: End | tuple[End, ...],
    kinds: tuple[Kind, ...],
    earlier: tuple[Earlier, ...],
    meanwhile: Meanwhile | tuple[Meanwhile, ...],
    report: Report,
    again: bool,
    journal: Journal,
) -> Row:
    ends = ends if isinstance(ends, tuple) else (ends,)
    meanwhile = meanwhile if isinstance(meanwhile, tuple) else (meanwhile,)
    return Row(ends, kinds, earlier, meanwhile, report, again, journal)


def in_both_cases(
    ends: End | tuple[End, ...], meanwhile: Meanwhile, report: Report, journal: Journal
) -> list[Row]:
    """Return the rows of unprocessed attempts, whose outcome depends on an earlier lost attempt."""
    return [
        row(ends, (Kind.READ,), ANY_EARLIER, meanwhile, report, False, journal),
        row(ends, NO_READS, NOT_LOST, meanwhile, report, False, journal),
        row(ends, KEYED, AFTER_LOST, meanwhile, R.UNKNOWN, False, J.KEPT),
    ]


TABLE = [
    row((End.ODD, End.SUCCEEDED), ANY_KIND, ANY_EARLIER, M.NOTHING, R.RESPONSE, False, J.SUCCEEDED),
    row(UNPROCESSED, ANY_KIND, ANY_EARLIER, M.NOTHING, R.RESPONSE, True, J.SUCCEEDED),
    row(LOST, READS, ANY_EARLIER, M.NOTHING, R.RESPONSE, True, J.SUCCEEDED),
    row(LOST, KEYED, ANY_EARLIER, M.NOTHING, R.RESPONSE, True, J.SUCCEEDED),
    row(LOST, WRITES, NOT_LOST, M.NOTHING, R.UNKNOWN, False, J.UNKNOWN),
    row(OPEN, READS, ANY_EARLIER, (M.NOTHING, M.OTHER_TOKEN), R.OWN, False, J.RELEASED),
    row(OPEN, WRITES, NOT_LOST, (M.NOTHING, M.OTHER_TOKEN), R.UNKNOWN, False, J.UNKNOWN),
    row(OPEN, KEYED, ANY_EARLIER, (M.NOTHING, M.OTHER_TOKEN), R.UNKNOWN, False, J.KEPT),
    *in_both_cases(End.REFUSED, M.NOTHING, R.OWN, J.FAILED),
    *in_both_cases((End.QUOTA, End.FORBIDDEN, End.EXPIRED), M.NOTHING, R.OWN, J.RELEASED),
    *in_both_cases(UNPROCESSED, M.NO_RETRY_LEFT, R.OWN, J.RELEASED),
    row(LOST, READS, ANY_EARLIER, M.NO_RETRY_LEFT, R.OWN, False, J.RELEASED),
    row(LOST, KEYED, ANY_EARLIER, M.NO_RETRY_LEFT, R.UNKNOWN, False, J.KEPT),
    row(End.EXPIRED, ANY_KIND, ANY_EARLIER, M.TOKEN_REFRESHED, R.RESPONSE, True, J.SUCCEEDED),
    *in_both_cases(End.EXPIRED, M.REFRESH_FAILED, R.RAISED, J.RELEASED),
    row(End.FORBIDDEN, ANY_KIND, ANY_EARLIER, M.OTHER_TOKEN, R.RESPONSE, True, J.SUCCEEDED),
    *in_both_cases(NOT_PROCESSED, M.DEADLINE, R.TIMEOUT, J.RELEASED),
    row((*LOST, End.HANGING), READS, ANY_EARLIER, M.DEADLINE, R.TIMEOUT, False, J.RELEASED),
    row(End.HANGING, WRITES, NOT_LOST, M.DEADLINE, R.UNKNOWN, False, J.UNKNOWN),
    row((*LOST, End.HANGING), KEYED, ANY_EARLIER, M.DEADLINE, R.UNKNOWN, False, J.KEPT),
    row(tuple(End), READS, ANY_EARLIER, M.CANCELLED, R.CANCELLED, False, J.RELEASED),
    row(NOT_PROCESSED, NO_READS, NOT_LOST, M.CANCELLED, R.CANCELLED, False, J.RELEASED),
    row(NOT_PROCESSED, KEYED, AFTER_LOST, M.CANCELLED, R.CANCELLED, False, J.KEPT),
    row((*LOST, End.HANGING), NO_READS, ANY_EARLIER, M.CANCELLED, R.CANCELLED, False, J.KEPT),
    row(End.HANGING, ANY_KIND, ANY_EARLIER, M.CLOSED, R.RESPONSE, False, J.SUCCEEDED),
    *in_both_cases((*UNPROCESSED, End.EXPIRED), M.CLOSED, R.CLOSED, J.RELEASED),
    row(LOST, READS, ANY_EARLIER, M.CLOSED, R.CLOSED, False, J.RELEASED),
    row(LOST, KEYED, ANY_EARLIER, M.CLOSED, R.UNKNOWN, False, J.KEPT),
    row(UNPROCESSED, READS, ANY_EARLIER, M.CALLBACK_RAISES, R.RAISED, False, J.RELEASED),
    row(UNPROCESSED, NO_READS, NOT_LOST, M.CALLBACK_RAISES, R.RAISED, False, J.RELEASED),
    row(LOST, READS, ANY_EARLIER, M.CALLBACK_RAISES, R.RAISED, False, J.RELEASED),
    row(UNPROCESSED, KEYED, AFTER_LOST, M.CALLBACK_RAISES, R.UNKNOWN, False, J.KEPT),
    row(LOST, KEYED, ANY_EARLIER, M.CALLBACK_RAISES, R.UNKNOWN, False, J.KEPT),
    row(UNPROCESSED, READS, ANY_EARLIER, M.LEASE_LOST, R.RAISED, False, J.OTHERS),
    row(UNPROCESSED, NO_READS, NOT_LOST, M.LEASE_LOST, R.RAISED, False, J.OTHERS),
    row(LOST, READS, ANY_EARLIER, M.LEASE_LOST, R.RAISED, False, J.OTHERS),
    row(UNPROCESSED, KEYED, AFTER_LOST, M.LEASE_LOST, R.UNKNOWN, False, J.OTHERS),
    row(LOST, KEYED, ANY_EARLIER, M.LEASE_LOST, R.UNKNOWN, False, J.OTHERS),
]

IN_THE_WAIT = (
    M.NO_RETRY_LEFT,
    M.DEADLINE,
    M.CANCELLED,
    M.CLOSED,
    M.CALLBACK_RAISES,
    M.LEASE_LOST,
)
"""Events that require a call that waits for its retry after the attempt."""


def pruned(cell: Cell) -> str | None:
    """Return why a combination does not occur; None if it does."""
    end, meanwhile = cell.end, cell.meanwhile
    is_retried = end in UNPROCESSED or (end in LOST and cell.kind is not Kind.WRITE)
    waits_for_token = end is End.EXPIRED and meanwhile in (M.DEADLINE, M.CANCELLED, M.CLOSED)
    if cell.kind is Kind.WRITE and cell.earlier is Earlier.LOST:
        return "a write without a key is not retried after a lost attempt"
    if end is End.PARTLY and cell.kind is Kind.READ:
        return "the request of a read is too small to be written in parts"
    if end in UNDER_WAY:
        wanted = (M.DEADLINE, M.CANCELLED) + ((M.CLOSED,) if end is End.HANGING else ())
        return (
            None
            if meanwhile in wanted
            else "the attempt continues, and ends in one of the other ways"
        )
    if meanwhile in IN_THE_WAIT and not is_retried and not waits_for_token:
        return "the call has ended with the attempt"
    if meanwhile in (M.TOKEN_REFRESHED, M.REFRESH_FAILED) and end is not End.EXPIRED:
        return "only an expired token is refreshed"
    if meanwhile is M.OTHER_TOKEN and end not in (End.FORBIDDEN, End.GATEWAY_401):
        return "the store is read for another token only after HTTP 401 and 403"
    return None


def all_cells() -> Iterator[Cell]:
    """Yield every combination that occurs."""
    for combination in product(End, Kind, Earlier, Meanwhile):
        cell = Cell(*combination)
        if pruned(cell) is None:
            yield cell


def cells(row: Row) -> list[Cell]:
    """Return the combinations that a row stands for."""
    found = (Cell(*each) for each in product(row.ends, row.kinds, row.earlier, row.meanwhile))
    return [cell for cell in found if pruned(cell) is None]
