"""Amounts of money in cents, and their texts."""

from __future__ import annotations

MAX_DIGITS = 12
"""Digits of an amount in cents; our choice."""


def format_amount(cents: int) -> str:
    """Return an amount as the API writes it: ``12.50``."""
    return f"{cents // 100}.{cents % 100:02}"


def parse_amount(text: str, *, max_digits: int = MAX_DIGITS) -> int | None:
    """Return the cents of an amount; None if it is malformed or too large."""
    whole, _, part = text.partition(".")
    digits = whole + part.ljust(2, "0")
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= max_digits
    return int(digits) if whole and len(part) <= 2 and is_number else None
