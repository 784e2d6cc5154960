"""Validation of field names in stub responses against the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ..pipeline.arguments.values import is_list, model_items
from ..registry import did_you_mean
from ..spec.shapes import Node, class_fields, response_shape


def check_fields(operation_id: str, data: Any, hint: str = "") -> None:
    """Raise `TypeError` for a field of ``data`` that the operation's response does not have."""
    group = operation_id.partition(".")[0]
    unknown = find_unknown_field(response_shape(operation_id), data, group)
    if unknown is not None:
        path, suggestion = unknown
        raise TypeError(
            f"the response of {operation_id} has no field {path!r}.{suggestion}{hint and ' '}{hint}"
        )


def find_unknown_field(node: Node, value: Any, group: str = "") -> tuple[str, str] | None:
    """Return the path of the first unknown field and a suggestion, or None.

    ``group`` defines the classes of objects; it is empty for objects without one.
    """
    return _find_unknown(group, node, value, "")


def _find_unknown(group: str, node: Node, value: Any, path: str) -> tuple[str, str] | None:
    if node["type"] == "array" and is_list(value):
        for at, item in enumerate(value):
            if unknown := _find_unknown(group, node["items"], item, f"{path}[{at}]"):
                return unknown
    elif node["type"] == "object":
        return _find_in_object(group, node, value, path)
    return None


def _find_in_object(group: str, node: Node, value: Any, path: str) -> tuple[str, str] | None:
    # Operations share models, so a model may have more fields than this operation.
    known = {**(class_fields(group, node["class"]) if "class" in node else {}), **node["fields"]}
    if not known:
        return None  # free-form
    for name, item in _items(value):
        inner = f"{path}.{name}" if path else str(name)
        if name not in known:
            return inner, did_you_mean(str(name), known)
        if unknown := _find_unknown(group, known[name], item, inner):
            return unknown
    return None


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(model_items(value)) if attrs.has(type(value)) else []
