"""Values that JSON does not have: NaN, infinities and values nested too deeply."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from .._internal.lenient_json import MAX_DEPTH, TOO_DEEP, NumberAsWritten
from ..response import DecodingIssue

_JSON_TYPES = {str: "string", bool: "boolean", dict: "object", list: "array", type(None): "null"}


def is_not_finite(value: Any) -> bool:
    """Return whether ``value`` is NaN or infinite; a number with all its digits is neither."""
    return (
        isinstance(value, float)
        and not isinstance(value, NumberAsWritten)
        and not math.isfinite(value)
    )


def json_type(value: Any) -> str:
    """Return the JSON type that an issue reports for ``value``."""
    if value is TOO_DEEP:
        return "a value nested deeper"
    if is_not_finite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return _JSON_TYPES.get(type(value), "number")


def expected_in_place_of(value: Any) -> str | None:
    """Return what an issue reports as expected, or None if ``value`` is valid."""
    if value is TOO_DEEP:
        return f"at most {MAX_DEPTH} levels"
    return "number" if is_not_finite(value) else None


def issues_within(document: Any) -> list[DecodingIssue]:
    """Replace each invalid value inside of ``document`` by None, and return the issues."""
    issues = []
    left = deque([("", document)])
    while left:
        path, container = left.popleft()
        if isinstance(container, dict):
            items: Any = [(f"{path}.{key}" if path else key, key) for key in container]
        elif isinstance(container, list):
            items = [(f"{path}[{index}]", index) for index in range(len(container))]
        else:
            continue
        for where, key in items:
            value = container[key]
            expected = expected_in_place_of(value)
            if expected is None:
                left.append((where, value))
            else:
                container[key] = None
                issues.append(DecodingIssue(path=where, expected=expected, found=json_type(value)))
    return issues
