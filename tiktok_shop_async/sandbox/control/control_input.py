"""Inputs of the control endpoints: each is checked once, before anything changes.

`ValueError` names the input, its value and what is accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request

from ..arguments import digits
from ..json_input import read_json, shortened

MAX_BODY = 1024 * 1024


class BodyTooLargeError(ValueError):
    """More bytes than a control request may have."""


async def json_object(request: Request, fields: Collection[str], example: str) -> dict[str, Any]:
    """Return the body, a JSON object with no other fields than these."""
    document = await json_body(request)
    if not isinstance(document, dict):
        raise ValueError(
            f"the body must be a JSON object such as {example}, not {shortened(document)}"
        )
    check_fields(document, fields, "the body")
    return document


async def json_body(request: Request) -> Any:
    """Return the body, which is any JSON document."""
    return read_json(await bounded_body(request))


async def bounded_body(request: Request) -> bytes:
    """Return the body, and read no more of it than is accepted."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise BodyTooLargeError(f"the body must have at most {MAX_BODY} bytes")
    return bytes(content)


def check_fields(document: Mapping[str, Any], fields: Collection[str], name: str) -> None:
    """Reject a field that is not one of these."""
    unexpected = next((field for field in document if field not in fields), None)
    if unexpected is not None:
        raise ValueError(
            f"{name} has an unexpected field {shortened(unexpected)}; accepted are "
            f"{', '.join(fields)}"
        )


def query_number(request: Request, name: str, default: int) -> int:
    """Return a whole number of the query."""
    text = request.query_params.get(name)
    number = default if text is None else digits(text)
    if number is None:
        raise ValueError(
            f"{name} must be a whole number of at most 19 digits, not {shortened(text)}"
        )
    return number
