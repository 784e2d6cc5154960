"""Documents of the catalogue's shapes, as the service would send them."""

from __future__ import annotations

import json
from typing import Any

from helpers.catalogue import example, in_version, operations

OPERATIONS = operations()


def size(node: dict[str, Any]) -> int:
    """Return the number of fields in ``node`` and below."""
    children = [*node.get("fields", {}).values(), *([node["items"]] if "items" in node else [])]
    if "type" not in node:
        children = list(node.values())
    return len(children) + sum(size(child) for child in children)


def example_arguments(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that the newest version requires."""
    version = operation["versions"][-1]
    return {
        name: example(node, version, name)
        for place in ("path_params", "query", "body")
        for name, node in in_version(operation[place], version).items()
        if node.get("required") or place == "path_params"
    }


def example_answer(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the newest version's envelope with every field."""
    version = operation["versions"][-1]
    data = {
        name: example(node, version, name)
        for name, node in in_version(operation["response"], version).items()
    }
    return {"code": 0, "message": "Success", "request_id": "202611240001", "data": data}


def order_list(least_bytes: int, *, null_lists: bool = False) -> bytes:
    """Return a page of orders of that size; with null for some lists, as the service does it."""
    answer = example_answer(OPERATIONS["order.get_order_list"])
    order = answer["data"]["orders"][0]
    if null_lists:
        lists = [name for name, value in order.items() if isinstance(value, list)]
        order |= dict.fromkeys(name for name in lists if name != "line_items")
        for line in order["line_items"]:
            line.update(
                dict.fromkeys(key for key, value in line.items() if isinstance(value, list))
            )
    order["line_items"] *= 3
    answer["data"]["orders"] = [order] * (least_bytes // len(json.dumps(order)) + 1)
    return json.dumps(answer).encode()
