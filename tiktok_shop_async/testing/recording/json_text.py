"""JSON text of requests and responses, in any encoding, with extensions that clients accept."""

from __future__ import annotations

import json
import re
from secrets import token_hex
from typing import Any

from ..._internal.lenient_json import NumberAsWritten, load_document

_MAX_DEPTH = 100
_TOO_DEEP = f"it is nested more than {_MAX_DEPTH} levels deep"
_BEGINNING = re.compile(r'\s*(?:\{\s*(?:"|$)|\[\s*(?:[\[{"]|$))')


class UnreadableJSONError(ValueError):
    """Text that is not JSON, or JSON that is nested too deeply."""


def parse_json(text: str) -> Any:
    """Return the value of JSON text; raise `UnreadableJSONError` for other text."""
    try:
        value = load_document(text.encode("utf-8", "replace"))
    except RecursionError:
        raise UnreadableJSONError(_TOO_DEEP) from None
    except ValueError:
        raise UnreadableJSONError("it is not valid JSON") from None
    if _is_deep(value):
        raise UnreadableJSONError(_TOO_DEEP)
    return value


def parse_nested_json(text: str) -> Any:
    """Return the object or list that a text field holds as JSON, or None for other text."""
    if not text.lstrip().startswith(("{", "[", '"{', '"[', '"\\"')):
        return None
    try:
        value = parse_json(text)
    except UnreadableJSONError:
        return None
    return parse_nested_json(value) if isinstance(value, str) else value


def looks_like_json(text: str) -> bool:
    """Return whether ``text`` begins like a JSON object or list that is not empty."""
    return _BEGINNING.match(text) is not None


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """Return ``value`` as JSON with the original spelling of numbers; sort keys if indented."""
    separators = (",", ": ") if indent else (",", ":")
    mark = token_hex(8)
    text = json.dumps(
        _with_marked_numbers(value, mark),
        indent=indent,
        separators=separators,
        sort_keys=indent is not None,
        ensure_ascii=False,
    )
    return re.sub(rf'"{mark}([^"]*)"', r"\1", text)


def decode_text(body: bytes, charset: str | None = None) -> str | None:
    """Return the text of a body in UTF-8, 16 or 32, or else in ``charset``; None for other bytes.

    In JSON, bytes that are not UTF-8 become U+FFFD, as they do in a client.
    """
    for encoding in (json.detect_encoding(body), charset or "utf-8"):
        try:
            return body.decode(encoding).removeprefix("\ufeff")
        except (UnicodeDecodeError, LookupError):
            continue
    is_json = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[", b'"')
    return body.decode("utf-8-sig", "replace") if is_json else None


def _with_marked_numbers(value: Any, mark: str) -> Any:
    """Return ``value`` with marked text in place of numbers that `json` would spell differently."""
    if isinstance(value, dict):
        return {key: _with_marked_numbers(child, mark) for key, child in value.items()}
    if isinstance(value, list):
        return [_with_marked_numbers(child, mark) for child in value]
    return mark + value.text if isinstance(value, NumberAsWritten) else value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for each in level
            if isinstance(each, (dict, list))
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
