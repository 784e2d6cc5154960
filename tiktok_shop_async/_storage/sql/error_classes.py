"""Classes of database errors: aborted, connection lost, value rejected."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, StatementError

_ABORTED = frozenset({"40001", "40P01"})
"""PostgreSQL rolled this transaction back in favour of others."""
_LOST_CLASSES = frozenset({"08", "53", "57"})
"""Classes of PostgreSQL codes: connections, exhausted resources, shutdowns."""
_REJECTED_CLASSES = frozenset({"22", "23", "54"})
"""Classes of PostgreSQL codes: invalid values, violated constraints, exceeded limits."""
_IDLE_TIMEOUT = "25P03"
"""PostgreSQL ended an idle transaction and its connection."""
_BUSY_FILE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)


def is_aborted(error: DBAPIError) -> bool:
    """Return whether a transaction was rolled back and can be retried at once."""
    return _sqlstate(error) in _ABORTED


def is_lost(error: BaseException | None) -> bool:
    """Return whether a connection was lost or a file is busy, so that a new one may succeed.

    The transaction may have been committed before.
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError)  # timeouts included
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return code & 0xFF in _BUSY_FILE  # the higher bits are details
    state = _sqlstate(error)
    if error.connection_invalidated or state[:2] in _LOST_CLASSES or state == _IDLE_TIMEOUT:
        return True
    return not state and isinstance(error, InterfaceError)


def is_rejected(error: BaseException | None) -> bool:
    """Return whether a transaction failed because of a value, so that others may succeed alone."""
    if isinstance(error, DBAPIError):
        state = _sqlstate(error)
        return state[:2] in _REJECTED_CLASSES or isinstance(error, DataError | IntegrityError)
    # Raised before a value is sent; errors of drivers are handled above.
    return isinstance(error, StatementError | ValueError | TypeError | OverflowError)


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
