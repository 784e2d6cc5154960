"""The catalogue for tests, with example values for arguments and responses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent / "catalogue"

Node = dict[str, Any]


def operations() -> dict[str, Node]:
    """Return the catalogue's operations by ``group.name``."""
    found = {}
    for path in sorted((ROOT / "operations").glob("*.json")):
        group = json.loads(path.read_text())
        for operation in group["operations"]:
            found[f"{group['group']}.{operation['name']}"] = operation
    return found


def in_version(fields: dict[str, Node], version: str) -> dict[str, Node]:
    """Return the fields that ``version`` has."""
    return {
        name: node for name, node in fields.items() if version in node.get("versions", [version])
    }


def example(node: Node, version: str, name: str = "", *, top: bool = False) -> Any:
    """Return a value with every field of ``node``, different from its siblings where possible."""
    match node["type"]:
        case "object":
            fields = in_version(node.get("fields", {}), version)
            if not fields:
                return {"any": "thing"}
            return {key: example(child, version, key) for key, child in fields.items()}
        case "array":
            return [example(node["items"], version, name)]
        case "string":
            if name == "base64":
                return "AAAA"
            return str(node.get("const", node.get("example", f"{name}-1")))
        case "integer":
            return node["example"] if isinstance(node.get("example"), int) else 1
        case "number":
            return 1.5
        case "boolean":
            return True
        case "file":  # in a form; the documents say so of objects in JSON bodies too
            return b"the content of a file" if top else {"id": "1"}
        case kind:
            raise AssertionError(f"unknown type {kind}")
