"""A database's place as users write it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path


def place_of(given: str | PathLike[str]) -> str | PathLike[str]:
    """Return a URL as it is, and other text as the path that it is."""
    if isinstance(given, str):
        if given in {"", ":memory:"}:
            return "sqlite://"
        if "://" in given:
            return given
    return Path(given)
