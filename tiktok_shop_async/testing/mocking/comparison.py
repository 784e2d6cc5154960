"""Differences between two calls, for failure messages of tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ..._internal.personal_data import SECRET_FIELDS
from ...pipeline.operation import Operation
from ...registry import did_you_mean
from .call_arguments import argument_names

_MAX_DIFFERENCES = 20
_MAX_LENGTH = 300
_MASK = "***"
_MISSING: Any = object()


def describe_argument_differences(
    operation: Operation, sent: Mapping[str, Any], expected: Mapping[str, Any]
) -> str:
    """Return a line for each argument that differs or does not exist, or an empty text.

    An unexpected idempotency key is not a difference: the client generates one.
    """
    if expected.get("idempotency_key") is None:
        sent = {name: value for name, value in sent.items() if name != "idempotency_key"}
    # None means that an argument is missing, unless a raw call sent null.
    given = {name: value for name, value in expected.items() if value is not None or name in sent}
    known = argument_names(operation)
    misspelt = "".join(
        f"\n  {operation.id} has no argument {name!r}.{did_you_mean(name, known)}"
        for name in expected
        if name not in known and name not in sent
    )
    return describe_differences(sent, given) + misspelt


def describe_differences(sent: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Return a line for each argument that differs, with secrets masked, or an empty text."""
    found = list(islice(_differences(sent, expected, "", ""), _MAX_DIFFERENCES + 1))
    if len(found) > _MAX_DIFFERENCES:
        found[-1] = "..."
    return "".join(f"\n  {line}" for line in found)


def mask_secrets(value: Any, name: str = "") -> Any:
    """Return JSON data with masks for secrets; ``name`` is the field that contains it."""
    if name in SECRET_FIELDS:
        return _MASK
    if isinstance(value, Mapping):
        return {key: mask_secrets(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_secrets(item) for item in value]
    return value


def safe_repr(value: Any, name: str = "") -> str:
    """Return a short repr of JSON data or bytes, with secrets masked."""
    if isinstance(value, bytes) and len(value) > _MAX_LENGTH:
        return f"{len(value)} bytes starting with {value[:20]!r}"
    text = repr(mask_secrets(value, name))
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}..."


def _differences(sent: Any, expected: Any, path: str, name: str) -> Iterator[str]:
    if isinstance(sent, Mapping) and isinstance(expected, Mapping):
        for key in {**sent, **expected}:
            inner = f"{path}.{key}" if path else key
            yield from _differences(
                sent.get(key, _MISSING), expected.get(key, _MISSING), inner, key
            )
    elif isinstance(sent, list) and isinstance(expected, list) and len(sent) == len(expected):
        for at, (item, other) in enumerate(zip(sent, expected, strict=True)):
            yield from _differences(item, other, f"{path}[{at}]", name)
    elif not _are_equal(sent, expected):
        yield _difference(sent, expected, path, name)


def _are_equal(sent: Any, expected: Any) -> bool:
    # True equals 1 in Python, but not in JSON.
    return isinstance(sent, bool) == isinstance(expected, bool) and bool(sent == expected)


def _difference(sent: Any, expected: Any, path: str, name: str) -> str:
    if expected is _MISSING:
        return f"{path}: sent {safe_repr(sent, name)}, not expected"
    if sent is _MISSING:
        return f"{path}: not sent, expected {safe_repr(expected, name)}"
    return f"{path}: sent {safe_repr(sent, name)}, expected {safe_repr(expected, name)}"
