"""The lenient, lossless reading of JSON into plain Python values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

MAX_DEPTH: Final = 100
"""Levels that `load_shallow` reads; Python's recursion limit allows many more."""


class NumberAsWritten(float):
    """A number that keeps its text, so that ``1.10`` can be converted to ``"1.10"``."""

    text: str

    def __new__(cls, text: str) -> NumberAsWritten:
        number = super().__new__(cls, text)
        number.text = text
        return number


class TooDeep:
    """A placeholder for a value that is nested deeper than `MAX_DEPTH`."""

    def __repr__(self) -> str:
        return "…"


TOO_DEEP: Final = TooDeep()


def load_document(body: bytes) -> Any:
    """Return the values of a JSON document.

    It accepts what services send although strict parsers reject it: a byte order mark, invalid
    UTF-8, lone surrogates, control characters and integers with thousands of digits. Invalid UTF-8
    and lone surrogates become U+FFFD, so that all text can be encoded again.

    Raises:
        ValueError: The body is not JSON.
        RecursionError: It is nested too deeply for Python; use `load_shallow`.
    """
    return _load(_text(body), NumberAsWritten)


def load_shallow(body: bytes) -> Any:
    """Return the values of a JSON document, with `TOO_DEEP` where it is nested too deeply."""

    def number(text: str) -> Any:
        return TOO_DEEP if text == _TOO_DEEP_TEXT else NumberAsWritten(text)

    return _load(_pruned(_text(body)), number)


def _load(text: str, number: Callable[[str], Any]) -> Any:
    # A large document is read in a thread, but json would hold the GIL until it is done. Calling a
    # Python function, even one that does nothing, lets json release it.
    hook = _unchanged if len(text) > _LARGE else None
    try:
        return json.loads(text, parse_float=number, strict=False, object_hook=hook)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer with more digits than Python converts
        return json.loads(
            text, parse_float=number, parse_int=_integer, strict=False, object_hook=hook
        )


def _unchanged(value: dict[str, Any]) -> dict[str, Any]:
    return value


_LARGE = 1_000_000


def _integer(text: str) -> int | NumberAsWritten:
    return int(text) if len(text) <= _MAX_DIGITS else NumberAsWritten(text)


_MAX_DIGITS = 640
"""Digits that Python always converts: an application cannot set its limit lower."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def _text(body: bytes) -> str:
    text = body.decode("utf-8-sig", "replace")
    if _SURROGATE.search(text):
        text = _ESCAPE.sub(lambda found: r"\ufffd" if found["half"] else found[0], text)
    return text


_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_TOO_DEEP_TEXT = "-0.0e-0"
"""A notation of zero that no service uses; it is read as `TOO_DEEP`."""


def _pruned(text: str) -> str:
    """Return ``text`` with `_TOO_DEEP_TEXT` for each value below level `MAX_DEPTH`."""
    kept: list[str] = []
    depth = begin = 0
    for found in _STRUCTURE.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                kept += (text[begin : found.start()], _TOO_DEEP_TEXT)
        elif found[0] in "]}":
            if depth == MAX_DEPTH + 1:
                begin = found.end()
            depth -= 1
    if depth > MAX_DEPTH:
        begin = len(text)  # the value is not closed, so the text is not JSON
    return "".join([*kept, text[begin:]])
