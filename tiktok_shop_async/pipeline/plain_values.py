"""Plain values of a JSON document that are not JSON: NaN, infinities, values nested too deeply."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from ..documents import MAX_DEPTH, TOO_DEEP, NumberAsWritten
from ..response import DecodingIssue

_JSON_TYPES = {str: "string", bool: "boolean", dict: "object", list: "array", type(None): "null"}


def is_not_finite(value: Any) -> bool:
    """Whether ``value`` is a NaN or an infinity; a number that was written out is neither."""
    return (
        isinstance(value, float)
        and not isinstance(value, NumberAsWritten)
        and not math.isfinite(value)
    )


def json_type(value: Any) -> str:
    """Return what an issue says about a value that was found."""
    if value is TOO_DEEP:
        return "a value nested deeper"
    if is_not_finite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return _JSON_TYPES.get(type(value), "number")


def expected_in_place_of(value: Any) -> str | None:
    """Return what should have been there; None if ``value`` is a value of JSON."""
    if value is TOO_DEEP:
        return f"at most {MAX_DEPTH} levels"
    return "number" if is_not_finite(value) else None


def issues_within(document: Any) -> list[DecodingIssue]:
    """Put None for each value inside of ``document`` that is not JSON, and report where."""
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
