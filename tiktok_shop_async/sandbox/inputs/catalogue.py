"""Operations and the fields of their requests, from the catalogue."""

from __future__ import annotations

from functools import cache

from ...pipeline.operation import Operation
from ...registry import operations
from ...resources._groups import GROUPS
from ...spec.shapes import Fields, in_version, operation_shape


def group_names() -> tuple[str, ...]:
    """Return the names of all groups."""
    return tuple(GROUPS)


@cache
def all_operations() -> tuple[Operation, ...]:
    """Return all operations of all groups."""
    return tuple(operation for group in GROUPS for operation in operations(group))


def query_fields(operation_id: str, version: str) -> Fields:
    """Return the query parameters of a version of an operation."""
    return _fields(operation_id, "query", version)


def body_fields(operation_id: str, version: str) -> Fields:
    """Return the body fields of a version of an operation."""
    return _fields(operation_id, "body", version)


@cache
def _fields(operation_id: str, location: str, version: str) -> Fields:
    return in_version(operation_shape(operation_id)[location], version)
