"""Plain values that JSON does not have: NaN, infinities, and values nested too deeply."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from .._internal.lenient_json import MAX_DEPTH, TOO_DEEP, NumberAsWritten
from ..response import DecodingIssue

_JSON_TYPES = {str: "string", bool: "boolean", dict: "object", list: "array", type(None): "null"}


def is_not_finite(value: Any) -> bool:
    """Return whether ``value`` is NaN or infinite; a `NumberAsWritten` is neither."""
    return (
        isinstance(value, float)
        and not isinstance(value, NumberAsWritten)
        and not math.isfinite(value)
    )


def json_type(value: Any) -> str:
    """Return the name of the JSON type of ``value``, for an issue."""
    if value is TOO_DEEP:
        return "a value nested deeper"
    if is_not_finite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return _JSON_TYPES.get(type(value), "number")


def find_mismatch(value: Any) -> str | None:
    """Return what is expected instead of ``value``, for an issue; None if ``value`` is valid."""
    if value is TOO_DEEP:
        return f"at most {MAX_DEPTH} levels"
    return "number" if is_not_finite(value) else None


def remove_invalid_values(document: Any) -> list[DecodingIssue]:
    """Replace each invalid value inside ``document`` by None; return an issue for each."""
    issues = []
    containers = deque([("", document)])
    while containers:
        path, container = containers.popleft()
        if isinstance(container, dict):
            items: Any = [(f"{path}.{key}" if path else key, key) for key in container]
        elif isinstance(container, list):
            items = [(f"{path}[{index}]", index) for index in range(len(container))]
        else:
            continue
        for below, key in items:
            value = container[key]
            expected = find_mismatch(value)
            if expected is None:
                containers.append((below, value))
            else:
                container[key] = None
                issues.append(DecodingIssue(path=below, expected=expected, found=json_type(value)))
    return issues
