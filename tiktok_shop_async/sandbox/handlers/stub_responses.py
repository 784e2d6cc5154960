"""Stub responses, from the catalogue, of operations without a handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...pipeline.operation import Paging
from ...spec.examples import Examples
from ...spec.shapes import Fields, in_version, operation_shape
from ..error_responses import invalid
from ..inputs.arguments import Arguments, digits
from .call import AdmittedCall
from .paging import decode_token, encode_token

ITEMS = 25
"""Number of items on all pages of a list together."""
_DEFAULT_PAGE_SIZE = 10
_MAX_PAGE_SIZE = 100


def stub_response(call: AdmittedCall, seed: int) -> dict[str, Any]:
    """Return a full example of an operation's response data.

    It is the same for the same path, shop and seed. Path parameters are repeated in it.
    """
    fields = in_version(operation_shape(call.operation.id)["response"], call.version)
    examples = Examples(seed=_seed(call, seed), version=call.version)
    data = examples.make_object(fields)
    if call.operation.pagination:
        _add_page(data, fields, call.operation.pagination, examples, call)
    data |= {name: value for name, value in call.path_params.items() if name in data}
    return data


def _seed(call: AdmittedCall, seed: int) -> str:
    shop = call.shop.id if call.shop else ""
    return "/".join((str(seed), call.operation.id, shop, *call.path_params.values()))


def _add_page(
    data: dict[str, Any], fields: Fields, paging: Paging, examples: Examples, call: AdmittedCall
) -> None:
    given = {**call.query, **call.body}
    token = given.get("page_token")
    start = decode_token(str(token))[1] if token else 0
    end = min(start + _page_size(given), ITEMS)
    for path in paging.items:
        parent, above, name = _at(data, fields, path)
        if name in above:  # some versions lack some of these lists
            parent[name] = [
                examples.make_value(above[name]["items"], name, f".{path}[{at}]")
                for at in range(start, end)
            ]
    parent, _, name = _at(data, fields, paging.next_token)
    parent[name] = encode_token((0, end)) if end < ITEMS else ""
    if "total_count" in parent:
        parent["total_count"] = ITEMS


def _page_size(given: Mapping[str, Any]) -> int:
    size = Arguments({"page_size": str(given.get("page_size") or _DEFAULT_PAGE_SIZE)})
    value = digits(size.required_text("page_size"))
    if value is None or not 1 <= value <= _MAX_PAGE_SIZE:
        raise invalid(f"The parameter page_size must be from 1 to {_MAX_PAGE_SIZE}.")
    return value


def _at(data: dict[str, Any], fields: Fields, path: str) -> tuple[dict[str, Any], Fields, str]:
    """Return the object that holds a field, the fields of that object, and the field's name."""
    *above, name = path.split(".")
    for step in above:
        data, fields = data[step], fields[step]["fields"]
    return data, fields, name
