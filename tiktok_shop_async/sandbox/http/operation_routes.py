"""Routes from paths to operations, from the SDK's descriptors of all operations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus

import attrs

from ...pipeline.operation import Operation
from ..error_responses import UNKNOWN_METHOD, UNKNOWN_PATH, UNKNOWN_VERSION, Refusal
from ..inputs.catalogue import all_operations

_VERSION_AT = 2
"""Index of the version in a path such as ``/group/version/...``, split at slashes."""


@attrs.frozen
class Route:
    """A version of an operation, with the parameters of the path."""

    operation: Operation
    version: str
    path_params: Mapping[str, str]


def find_route(method: str, path: str) -> Route:
    """Return the route of a request.

    Raises:
        Refusal: The path, the version or the method is unknown.
    """
    segments = path.split("/")
    is_complete = len(segments) > _VERSION_AT and all(segments[1:])
    templates = _templates().get((segments[1], len(segments)), ()) if is_complete else ()
    candidates = [operation for fixed, operation in templates if _matches(fixed, segments)]
    if not candidates:
        raise Refusal(UNKNOWN_PATH, f"Invalid path: {path}", HTTPStatus.NOT_FOUND)
    version = segments[_VERSION_AT]
    of_version = [operation for operation in candidates if version in operation.versions]
    if not of_version:
        raise Refusal(UNKNOWN_VERSION, f"Invalid API version: {version}", HTTPStatus.NOT_FOUND)
    for operation in of_version:
        if operation.method == method:
            return Route(operation, version, _path_params(operation, segments))
    raise Refusal(UNKNOWN_METHOD, f"Invalid method: {method}", HTTPStatus.METHOD_NOT_ALLOWED)


Fixed = Mapping[int, str]
"""Index in a split path -> the segment that is required there."""


@cache
def _templates() -> Mapping[tuple[str, int], Sequence[tuple[Fixed, Operation]]]:
    """Return the operations by first segment and length, with fixed paths first."""
    found: dict[tuple[str, int], list[tuple[Fixed, Operation]]] = defaultdict(list)
    for operation in sorted(all_operations(), key=lambda each: each.path.count("{")):
        template = operation.path.split("/")
        fixed = {at: text for at, text in enumerate(template) if not text.startswith("{")}
        found[template[1], len(template)].append((fixed, operation))
    return dict(found)


def _matches(fixed: Fixed, segments: list[str]) -> bool:
    return all(segments[at] == text for at, text in fixed.items())


def _path_params(operation: Operation, segments: list[str]) -> dict[str, str]:
    return {
        expected[1:-1]: segment
        for expected, segment in zip(operation.path.split("/"), segments, strict=True)
        if expected.startswith("{") and expected != "{version}"
    }
