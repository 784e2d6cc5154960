"""Locations of databases as users pass them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path


def parse_location(given: str | PathLike[str]) -> str | PathLike[str]:
    """Return a URL unchanged, and any other text as a path."""
    if isinstance(given, str):
        if given in {"", ":memory:"}:
            return "sqlite://"
        if "://" in given:
            return given
    return Path(given)
