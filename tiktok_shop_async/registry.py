"""The registry of operations: by id, by method and path, and by the method of a client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from .errors import InvalidArgumentError
from .pipeline.operation import Operation
from .resource import Resource
from .resources._groups import GROUPS

_GROUP_OF_SEGMENT = {"open": "files"}
"""Group by first segment of a path, where the two differ."""


_VERSION = re.compile(r"/(\d{6})(?=/|$)")


def find_version(path: str) -> str:
    """Return the version in a path; empty text if it has none."""
    found = _VERSION.search(path)
    return found[1] if found else ""


def find_operation(operation_id: str) -> Operation:
    """Return the operation with an id such as ``return_refund.cancel_order``."""
    group, _, name = operation_id.partition(".")
    found = getattr(_module(group), name.upper(), None) if group in GROUPS else None
    if isinstance(found, Operation):
        return found
    names = [each.id for each in operations(group)] if group in GROUPS else GROUPS
    hint = did_you_mean(operation_id if group in GROUPS else group, names)
    raise InvalidArgumentError(
        f"operation {operation_id!r} is unknown.",
        hint=hint.strip() or 'An id looks like "order.get_order_detail".',
    )


def operation_of(method: Callable[..., Any]) -> Operation | None:
    """Return the operation that a method such as ``client.order.get_order_detail`` calls.

    None for a function that is not a method of a resource.
    """
    resource = getattr(method, "__self__", None)
    if not isinstance(resource, Resource):
        return None
    return find_operation(f"{resource.GROUP}.{method.__name__}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the most similar known names, with a leading space; else empty."""
    close = get_close_matches(name, known, n=3)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def operations(group: str) -> Iterator[Operation]:
    """Yield the operations of a group."""
    for value in vars(_module(group)).values():
        if isinstance(value, Operation):
            yield value


def find_operation_at(method: str, path: str) -> Operation | None:
    """Return the operation that a request calls; None if the catalogue lacks it."""
    segments = path.split("/")
    group = _GROUP_OF_SEGMENT.get(segments[1], segments[1]) if len(segments) > 1 else ""
    if group not in GROUPS:
        return None
    matching = [
        operation
        for operation in operations(group)
        if operation.method == method and _matches(operation, segments)
    ]
    # A path without parameters takes precedence over one with a parameter in the same segment.
    return min(matching, key=lambda operation: operation.path.count("{"), default=None)


def _matches(operation: Operation, segments: list[str]) -> bool:
    template = operation.path.split("/")
    return len(template) == len(segments) and all(
        segment in operation.versions
        if expected == "{version}"
        else expected.startswith("{") or expected == segment
        for expected, segment in zip(template, segments, strict=True)
    )


def _module(group: str) -> object:
    return import_module(f".resources.{group}", __package__)
