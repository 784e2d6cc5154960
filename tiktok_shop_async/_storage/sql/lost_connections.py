"""Errors of databases after which a transaction can be repeated."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, StatementError

_ABORTED = frozenset({"40001", "40P01"})
"""PostgreSQL chose this transaction to make way for others; nothing of it was done."""
_LOST_CLASSES = frozenset({"08", "53", "57"})
"""Classes of PostgreSQL's codes: connections, resources that are used up, shutdowns."""
_REJECTED_CLASSES = frozenset({"22", "23", "54"})
"""Classes of PostgreSQL's codes: invalid values, violated constraints, exceeded limits."""
_STOOD_STILL = "25P03"
"""PostgreSQL ended a transaction in which nothing went on, and its connection."""
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
    """Tell whether nothing of a transaction was done, so that it can be repeated at once."""
    return _sqlstate(error) in _ABORTED


def is_lost(error: BaseException | None) -> bool:
    """Tell whether a connection was lost or a file is busy, so that a new connection may succeed.

    The transaction may have been committed before.
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError)  # a timeout, too
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return code & 0xFF in _BUSY_FILE  # the rest of the number are details
    state = _sqlstate(error)
    if error.connection_invalidated or state[:2] in _LOST_CLASSES or state == _STOOD_STILL:
        return True
    return not state and isinstance(error, InterfaceError)


def is_rejected(error: BaseException | None) -> bool:
    """Tell whether a transaction failed because of a value, so that others may succeed alone."""
    if isinstance(error, DBAPIError):
        state = _sqlstate(error)
        return state[:2] in _REJECTED_CLASSES or isinstance(error, DataError | IntegrityError)
    # Raised before a value is sent; a driver's errors of these types are caught above.
    return isinstance(error, StatementError | ValueError | TypeError | OverflowError)


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
