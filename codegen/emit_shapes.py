"""Emission of ``spec/shapes/``: facts about arguments and responses as JSON."""

from __future__ import annotations

import json
from typing import Any

from .catalogue import Node, OperationFacts, load_webhooks
from .classes import GroupClasses


def shapes_file(operations: list[OperationFacts], found: GroupClasses) -> str:
    """Return the shapes of a group as JSON, one operation a line, which keeps diffs small."""
    lines = []
    for operation in operations:
        shape: dict[str, Any] = {
            location: _fields(nodes, f"{operation.name}.{location}", found)
            for location, nodes in operation.arguments.items()
        }
        shape["response"] = _fields(operation.response, f"{operation.name}.response", found)
        if f"{operation.name}.response" in found.by_key:
            shape["model"] = found.by_key[f"{operation.name}.response"].name
        lines.append(f"{json.dumps(operation.name)}: {_compact(shape)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def webhooks_file() -> str:
    """Return the shapes of all webhooks as JSON, one webhook a line."""
    lines = []
    for webhook in sorted(load_webhooks(), key=lambda webhook: int(webhook["type"])):
        shape = {key: webhook[key] for key in ("name", "event_type", "data")}
        lines.append(f'"{webhook["type"]}": {_compact(shape)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _fields(nodes: dict[str, Node], path: str, found: GroupClasses) -> dict[str, Any]:
    return {name: _node(node, f"{path}.{name}", found) for name, node in nodes.items()}


def _node(node: Node, path: str, found: GroupClasses) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": node.type, **node.facts}
    if node.python_name != node.name:
        shape["python_name"] = node.python_name
    if node.example is not None:
        shape["example"] = node.example
    if node.required:
        shape["required"] = True
    if node.versions is not None:
        shape["versions"] = node.versions
    if node.items:
        shape["items"] = _node(node.items, path, found)
    if node.type == "object":
        shape["fields"] = _fields(node.fields, path, found)
        if path in found.by_key:
            shape["class"] = found.by_key[path].name
    return shape


def _compact(shape: Any) -> str:
    return json.dumps(shape, separators=(",", ":"), ensure_ascii=False)
