"""Arguments of a call in a common form, whether from a request or from a test."""

from __future__ import annotations

import email
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from ...errors import InvalidArgumentError
from ...options import RequestOptions
from ...pipeline.arguments.files import is_file_object
from ...pipeline.arguments.kinds import convert
from ...pipeline.arguments.values import plain, query_text
from ...pipeline.operation import Operation
from ...spec.shapes import Fields, Node, operation_shape

_GATEWAY_PARAMETERS = frozenset(
    {"access_token", "app_key", "category_asset_cipher", "shop_cipher", "shop_id", "sign"}
    | {"timestamp", "version"}
)
"""Query parameters that are not arguments, including those that only other clients send."""
_TEXT: Node = {"type": "string"}
_INTEGER = re.compile(r"-?[0-9]{1,20}")


class MalformedRequestError(ValueError):
    """A request whose query or body the service could not read."""


def read_arguments(
    operation: Operation, request: httpx.Request, *, strict: bool = True
) -> dict[str, Any]:
    """Return the arguments of a request by their Python names, without missing ones.

    Query values are text on the wire: they become numbers, booleans and lists as in the catalogue.
    The content of a file is bytes. A malformed value raises `MalformedRequestError` if ``strict``,
    or else is returned as text.
    """
    shape = operation_shape(operation.id)
    found = _rename(shape["path"], _path_values(operation, request))
    query = {}
    for name, text in request.url.params.items():
        node = shape["query"].get(name, _TEXT)
        is_missing = not text and node["type"] not in ("string", "array")
        if name not in _GATEWAY_PARAMETERS and not is_missing:
            query[name] = _read_query(node, name, text, strict=strict)
    return (
        found | _rename(shape["query"], query) | _rename(shape["body"], _read_body(request, strict))
    )


def normalize_arguments(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a method as `read_arguments` returns them from the request.

    Raise `InvalidArgumentError` for a value that cannot be sent.
    """
    return {
        name: None if value is None else _normalize(operation, name, value)
        for name, value in arguments.items()
        if (name, value) != ("options", None)  # all methods accept it
    }


def argument_names(operation: Operation) -> set[str]:
    """Return the Python names of an operation's arguments."""
    shape = operation_shape(operation.id)
    return {
        node.get("python_name", name)
        for location in ("path", "query", "body")
        for name, node in shape[location].items()
    }


def _rename(fields: Fields, values: Mapping[str, Any]) -> dict[str, Any]:
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


def _read_query(node: Node, name: str, text: str, *, strict: bool) -> Any:
    try:
        return _parse(node, text)
    except ValueError as error:
        if strict:
            raise MalformedRequestError(
                f"the query parameter {name} must be {error}, not {text[:40]!r}"
            ) from None
        return text


def _parse(node: Node, text: str) -> Any:
    """Return the value of a text; a `ValueError` names what is accepted."""
    match node["type"]:
        case "array":
            return [_parse(node["items"], part) for part in text.split(",")] if text else []
        case "integer":
            if not _INTEGER.fullmatch(text):
                raise ValueError("an integer")
            return int(text)
        case "number":
            return _parse_number(text)
        case "boolean":
            if text not in ("true", "false"):
                raise ValueError("true or false")
            return text == "true"
        case _:
            return text


def _parse_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("a number")
    return number


def _read_body(request: httpx.Request, strict: bool) -> dict[str, Any]:
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("multipart/"):
        return _read_form(content_type, request.content)
    try:
        body = json.loads(request.content) if request.content else {}
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body
    if strict and body != []:  # PHP sends it for an object without fields
        raise MalformedRequestError("the body must be a JSON object")
    return {}


def _read_form(content_type: str, content: bytes) -> dict[str, Any]:
    form = email.message_from_bytes(
        b"content-type: " + content_type.encode() + b"\r\n\r\n" + content
    )
    found: dict[str, Any] = {}
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            value = part.get_payload(decode=True)
            assert isinstance(value, bytes)
            is_file = part.get_filename() is not None
            found[name] = value if is_file else value.decode("utf-8", "replace")
    return found


def _normalize(operation: Operation, name: str, value: Any) -> Any:
    if isinstance(value, RequestOptions):
        raise InvalidArgumentError("options are not an argument of the request: omit them.")
    shape = operation_shape(operation.id)
    # A name in two locations has the same value in both; `read_arguments` keeps the last one.
    for location in ("body", "query", "path"):
        for wire_name, node in shape[location].items():
            if node.get("python_name", wire_name) == name:
                return _normalize_field(operation, f"{location}.{wire_name}", node, value)
    return _encode_for_body(operation, plain(value, name))


def _normalize_field(operation: Operation, path: str, node: Node, value: Any) -> Any:
    location, _, wire_name = path.partition(".")
    if wire_name in operation.files and location == "body":
        return _read_file(value)
    kind = operation.arguments.get(path, str if location == "path" else None)
    converted = plain(value, path) if kind is None else convert(value, kind, path)
    if location == "body":
        return _encode_for_body(operation, converted)
    text = query_text(converted, path)
    return text if location == "path" else _parse(node, text)


def _encode_for_body(operation: Operation, value: Any) -> Any:
    if operation.body != "multipart" or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read_file(file: Any) -> Any:
    if isinstance(file, os.PathLike):
        return Path(file).read_bytes()
    if is_file_object(file):
        file.seek(0)
        file = file.read()
    return bytes(file) if isinstance(file, (bytearray, memoryview)) else file
