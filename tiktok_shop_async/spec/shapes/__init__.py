"""The shapes of arguments and responses in the catalogue, for the sandbox and the test kit.

The SDK does not need them at run time, so each group is read when it is first requested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

Node = Mapping[str, Any]
"""A field: its type, and what else is known of it; ``catalogue/README.md`` lists the keys.

The node of an object also has its ``class``, if there is a model for it, and a field whose name
Python cannot have its ``python_name``.
"""
Fields = Mapping[str, Node]


@cache
def operation_shape(operation_id: str) -> Mapping[str, Fields]:
    """Return the fields of an operation by place: path, query, body and response."""
    group, _, name = operation_id.partition(".")
    shape = _read(group)[name]
    return {place: shape[place] for place in ("path", "query", "body", "response")}


def response_shape(operation_id: str) -> Node:
    """Return the node of the data in an operation's response."""
    group, _, name = operation_id.partition(".")
    return _response_node(_read(group)[name])


def webhook_shape(event: int) -> Mapping[str, Any]:
    """Return a webhook's name, event type (None if it cannot be subscribed to) and data fields."""
    shape: Mapping[str, Any] = _read("webhooks")[str(event)]
    return shape


def webhook_types() -> list[int]:
    """Return the types of all webhooks."""
    return [int(event) for event in _read("webhooks")]


def in_version(fields: Fields, version: str) -> dict[str, Node]:
    """Return the fields that a version of their operation has."""
    return {
        name: node for name, node in fields.items() if version in node.get("versions", (version,))
    }


def class_fields(group: str, name: str) -> dict[str, Node]:
    """Return the fields of a model's class by wire name, from all places where it stands."""
    found = _classes(group).get(name)
    if found is None:
        raise KeyError(f"there is no model {group}.{name}")
    return found


@cache
def words_of_the_api() -> frozenset[str]:
    """Return the names of all fields and operations, and the values of all enums."""
    names = [each.name for each in files(__name__).iterdir() if each.name.endswith(".json")]
    return frozenset(word for name in names for word in _words(_read(name.removesuffix(".json"))))


def _words(shape: Any) -> Iterator[str]:
    if isinstance(shape, dict):
        yield from shape
        yield from map(str, shape.get("enum", ()) if isinstance(shape.get("enum"), list) else ())
        for child in shape.values():
            yield from _words(child)


@cache
def _classes(group: str) -> dict[str, dict[str, Node]]:
    found: dict[str, dict[str, Node]] = {}
    for shape in _read(group).values():
        for root in (_response_node(shape), {"type": "object", "fields": shape["body"]}):
            for node in _objects(root):
                if "class" in node:
                    fields = found.setdefault(node["class"], {})
                    for wire, child in node["fields"].items():
                        fields.setdefault(wire, child)
    return found


def _response_node(shape: Mapping[str, Any]) -> Node:
    model = {"class": shape["model"]} if "model" in shape else {}
    return {"type": "object", "fields": shape["response"], **model}


def _objects(node: Node) -> Iterator[Node]:
    if "items" in node:
        yield from _objects(node["items"])
    if node["type"] == "object":
        yield node
        for child in node["fields"].values():
            yield from _objects(child)


@cache
def _read(group: str) -> Mapping[str, Any]:
    text = files(__name__).joinpath(f"{group}.json").read_text(encoding="utf-8")
    shapes: Mapping[str, Any] = json.loads(text)
    return shapes
