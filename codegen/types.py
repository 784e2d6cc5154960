"""Python annotations and argument kinds of the catalogue's nodes."""

from __future__ import annotations

import re

from .catalogue import Node

_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_TIMES = ("unix-seconds", "unix-milliseconds")


def output_type(node: Node, class_name: str | None) -> str:
    """Return the annotation of a field in a response."""
    if node.items:
        return f"list[{_output_element(node.items, class_name)}]"
    return f"{_output_element(node, class_name)} | None"


def _output_element(node: Node, class_name: str | None) -> str:
    if node.items:
        return f"list[{_output_element(node.items, class_name)}]"
    if node.type == "object":
        return class_name or "dict[str, Any]"
    return _SCALARS[node.type]


def input_type(node: Node, class_name: str | None, literal: str | None) -> str:
    """Return the annotation of an argument; ``literal`` is the type of its known values."""
    if node.items:
        return f"Sequence[{input_type(node.items, class_name, literal)}]"
    if node.type == "object":
        return f"{class_name} | Mapping[str, Any]" if class_name else "Mapping[str, Any]"
    if node.type == "file":
        return "FileInput"
    if literal:
        return f"{literal} | str"
    found = _SCALARS[node.type]
    if node.facts.get("format") in _TIMES:
        return f"{found} | datetime" if found == "int" else f"{found} | int | datetime"
    if node.facts.get("format") == "date":
        return f"{found} | date"
    return found


_KINDS = {
    ("integer", "unix-seconds"): "Time.SECONDS",
    ("integer", "unix-milliseconds"): "Time.MILLISECONDS",
    ("string", "unix-seconds"): "Time.SECONDS_AS_TEXT",
    ("string", "unix-milliseconds"): "Time.MILLISECONDS_AS_TEXT",
    ("string", "date"): "Time.DATE",
}


def kind_of(node: Node) -> str:
    """Return the kind of an argument as an expression for `Operation.arguments`."""
    if node.items:
        return f"[{kind_of(node.items)}]"
    if node.type == "object":
        fields = [f'"{name}": {kind_of(child)}' for name, child in node.fields.items()]
        return "{" + ", ".join(fields) + "}"
    return _KINDS.get((node.type, node.facts.get("format", "")), _SCALARS[node.type])


def literal_of(node: Node) -> str | None:
    """Return the ``Literal`` type of an argument's known values, or None."""
    values = node.element.facts.get("enum") or node.facts.get("enum")
    if not values or node.element.type != "string":
        return None
    return f"Literal[{', '.join(repr(value) for value in values)}]".replace("'", '"')


def is_used(name: str, text: str) -> bool:
    """Return whether an annotation in ``text`` uses ``name``."""
    pattern = rf"\b{name}\[|(\| |\[|, |: ){name}(?=[\],)]| \||$)"
    return re.search(pattern, text, re.MULTILINE) is not None
