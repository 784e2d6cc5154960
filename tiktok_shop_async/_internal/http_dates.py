"""Dates in HTTP headers."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def parse_http_date(date: str) -> float | None:
    """Return the Unix seconds of a date in a header; None if it is invalid."""
    try:
        parsed = parsedate_to_datetime(date)
        if parsed.tzinfo is None:  # "-0000" or no time zone: in HTTP, all dates are UTC
            parsed = parsed.replace(tzinfo=UTC)
        return parsed.timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
