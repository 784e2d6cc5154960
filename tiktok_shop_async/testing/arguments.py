"""A request as it arrived -> the arguments of the method that sent it."""

from __future__ import annotations

import email
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import httpx

from ..pipeline.operation import Operation
from ..shapes import Fields, Node, operation_shape


def read_arguments(operation: Operation, request: httpx.Request) -> dict[str, Any]:
    """Return the arguments by their Python names; those that were not given are not there.

    A query has only text: it becomes numbers, truth values and lists where the catalogue says so.
    The content of a file is bytes.
    """
    shape = operation_shape(operation.id)
    found = _named(shape["path"], _path_values(operation, request))
    query = {
        name: _from_text(shape["query"][name], text)
        for name, text in request.url.params.items()
        if name in shape["query"]
    }
    return found | _named(shape["query"], query) | _named(shape["body"], _body(request))


def _named(fields: Fields, values: Mapping[str, Any]) -> dict[str, Any]:
    return {fields.get(name, {}).get("python_name", name): value for name, value in values.items()}


def _path_values(operation: Operation, request: httpx.Request) -> dict[str, str]:
    # The raw path, since a decoded one may hold slashes that are part of a value.
    sent = request.url.raw_path.partition(b"?")[0].decode("ascii").split("/")
    template = operation.path.split("/")
    return {
        name[1:-1]: unquote(value)
        for name, value in zip(template, sent[-len(template) :], strict=False)
        if name.startswith("{") and name != "{version}"
    }


def _from_text(node: Node, text: str) -> Any:
    match node["type"]:
        case "array":
            return [_from_text(node["items"], part) for part in text.split(",")]
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case "boolean":
            return text == "true"
        case _:
            return text


def _body(request: httpx.Request) -> dict[str, Any]:
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("multipart/"):
        return _form(content_type, request.content)
    body = json.loads(request.content) if request.content else {}
    return body if isinstance(body, dict) else {}


def _form(content_type: str, content: bytes) -> dict[str, Any]:
    form = email.message_from_bytes(
        b"content-type: " + content_type.encode() + b"\r\n\r\n" + content
    )
    found: dict[str, Any] = {}
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            value = part.get_payload(decode=True)
            assert isinstance(value, bytes)
            found[name] = value if part.get_filename() is not None else value.decode()
    return found
