"""JSON and text from clients, checked so that it can be stored, shown and encoded."""

from __future__ import annotations

import json
from typing import Any

MAX_DEPTH = 64
"""Maximum depth of objects and lists in a document; our choice."""
_MAX_DIGITS = 19
_LIMIT = 2**63
_MAX_SHOWN = 40


class _OutOfRange(str):
    """The text of a number that is not finite or has more than 64 bits."""

    __slots__ = ()


def encodable(text: str) -> str:
    r"""Return a text that UTF-8 can encode: a lone surrogate becomes an escape like ``\udcff``.

    Surrogates come from bytes that are not UTF-8 and from escapes in JSON.
    """
    if text.isascii():  # the usual case
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def shortened(value: object) -> str:
    """Return a value for an error message, truncated if it is long."""
    text = encodable(value if isinstance(value, _OutOfRange) else repr(value))
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def read_json(content: bytes) -> Any:
    """Return a JSON document with encodable texts, finite numbers and bounded depth.

    Raises:
        ValueError: The document is invalid; the message says what and where.
    """
    try:
        document = json.loads(
            content, parse_int=_integer, parse_float=_float, parse_constant=_OutOfRange
        )
    except RecursionError:
        raise ValueError(f"the body is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:  # includes bytes that are not Unicode
        raise ValueError("the body is not valid JSON") from None
    return _checked(document, "", MAX_DEPTH)


def _integer(text: str) -> int | _OutOfRange:
    if len(text) <= _MAX_DIGITS + 1 and -_LIMIT <= (number := int(text)) < _LIMIT:
        return number
    return _OutOfRange(text)


def _float(text: str) -> float | _OutOfRange:
    number = float(text)
    return number if abs(number) != float("inf") else _OutOfRange(text)


def _checked(value: Any, path: str, levels: int) -> Any:
    match value:
        case _OutOfRange():
            raise ValueError(
                f"{_cut(path) or 'the body'} must be a finite number of at most 64 bits, "
                f"not {shortened(value)}"
            )
        case str():
            return encodable(value)
        case dict() | list() if levels == 0:
            raise ValueError(f"the body is nested deeper than {MAX_DEPTH} levels")
        case dict():
            prefix = f"{path}." if path else ""
            return {
                (text := encodable(name)): _checked(each, f"{prefix}{text}", levels - 1)
                for name, each in value.items()
            }
        case list():
            return [_checked(each, f"{path}[{at}]", levels - 1) for at, each in enumerate(value)]
    return value
