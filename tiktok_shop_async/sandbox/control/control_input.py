"""Inputs of the control endpoints, checked before anything changes.

A `ValueError` names the input, its value and what is accepted.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from starlette.requests import Request

from ..inputs.arguments import digits
from ..inputs.bounded_body import bounded_body
from ..inputs.checks import check_fields
from ..inputs.json_input import read_json, shortened


async def json_object(request: Request, fields: Collection[str], example: str) -> dict[str, Any]:
    """Return the body, a JSON object whose fields must be among ``fields``."""
    document = await json_body(request)
    if not isinstance(document, dict):
        raise ValueError(
            f"the body must be a JSON object such as {example}, not {shortened(document)}"
        )
    check_fields(document, fields, "the body")
    return document


async def json_body(request: Request) -> Any:
    """Return the body, any JSON document."""
    return read_json(await bounded_body(request))


def query_number(request: Request, name: str, default: int) -> int:
    """Return an integer from the query."""
    text = request.query_params.get(name)
    number = default if text is None else digits(text)
    if number is None:
        raise ValueError(f"{name} must be an integer of at most 19 digits, not {shortened(text)}")
    return number
