"""Validation of requests against the catalogue.

It is stricter than the platform, which ignores some mistakes, so that tests find them. Of all
limits, only those of integers in the query are checked: the documents are reliable for page sizes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...pipeline.operation import Operation
from ...spec.shapes import Fields, Node, in_version
from ..error_responses import invalid
from ..handlers.call import UploadedFile
from ..inputs.arguments import digits
from ..inputs.catalogue import body_fields, query_fields

_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a string"),
    "integer": ((int,), "an integer"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "a boolean"),
    "array": ((list,), "a list"),
    "object": ((dict,), "an object"),
    "file": ((dict,), "an object"),
}
"""Type of a node in a JSON body -> accepted Python types, and their description."""


def check_query(
    operation: Operation, version: str, query: Mapping[str, str], common: Collection[str]
) -> None:
    """Refuse parameters that are missing, unknown, of a wrong type or out of range.

    Args:
        operation: The operation.
        version: Its version.
        query: The query by name.
        common: Parameters that all operations accept.
    """
    fields = query_fields(operation.id, version)
    for name in query:
        if name not in fields and name not in common:
            raise invalid(
                f"The query parameter {name} is unknown: {operation.id} does not accept it."
            )
    for name, node in fields.items():
        text = query.get(name)
        if text:
            _check_text(name, node, text)
        elif node.get("required"):
            raise invalid(f"The query parameter {name} is required.")


def check_body(
    operation: Operation,
    version: str,
    body: Mapping[str, Any],
    files: Mapping[str, UploadedFile],
) -> None:
    """Refuse fields of a body that are missing, unknown or of a wrong type."""
    fields = body_fields(operation.id, version)
    if operation.body == "multipart":
        _check_form(fields, body, files)
    else:
        _check_object(fields, body, version, "")


def _check_text(name: str, node: Node, text: str) -> None:
    if node["type"] == "boolean" and text not in ("true", "false"):
        raise invalid(f"The parameter {name} must be true or false.")
    if node["type"] != "integer":
        return
    number = digits(text.removeprefix("-"))
    if number is None:
        raise invalid(f"The parameter {name} must be an integer of at most 19 digits.")
    low, high = node.get("minimum"), node.get("maximum")
    number = -number if text.startswith("-") else number
    if (low is not None and number < low) or (high is not None and number > high):
        raise invalid(f"The parameter {name} must be from {low} to {high}, not {number}.")


def _check_form(
    fields: Fields, texts: Mapping[str, Any], files: Mapping[str, UploadedFile]
) -> None:
    for name in (*texts, *files):
        if name not in fields:
            raise invalid(f"The parameter {name} is unknown.")
    for name, node in fields.items():
        if node["type"] == "file" and name in texts:
            raise invalid(f"The parameter {name} must be a file.")
        if node.get("required") and name not in files and not texts.get(name):
            raise invalid(f"The body parameter {name} is required.")


def _check_object(fields: Fields, given: Mapping[str, Any], version: str, path: str) -> None:
    for name, value in given.items():
        if name not in fields:
            raise invalid(f"The parameter {path}{name} is unknown.")
        _check_value(fields[name], value, version, f"{path}{name}")
    for name, node in fields.items():
        if node.get("required") and given.get(name) in (None, ""):
            raise invalid(f"The body parameter {path}{name} is required.")


def _check_value(node: Node, value: Any, version: str, path: str) -> None:
    if value is None:
        return
    kinds, words = _KINDS[node["type"]]
    # In Python, but not in JSON, a boolean is an integer.
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise invalid(f"The parameter {path} must be {words}.")
    if isinstance(value, list):
        if len(value) < node.get("min_items", 0):
            raise invalid(f"The parameter {path} must not be empty.")
        for at, item in enumerate(value):
            if item is None:
                raise invalid(
                    f"The parameter {path}[{at}] must be {_KINDS[node['items']['type']][1]}."
                )
            _check_value(node["items"], item, version, f"{path}[{at}]")
    elif isinstance(value, dict) and node.get("fields"):
        _check_object(in_version(node["fields"], version), value, version, f"{path}.")
