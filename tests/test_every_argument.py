"""Each argument of each operation: valid values are sent as documented, others are rejected."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from io import BytesIO
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from support import FakeShop, new_client
from test_every_operation import ENDPOINTS, OPERATIONS, RENAMED, method, query_text

from catalogue import ROOT, example, in_version
from tiktok_shop_async import InvalidArgumentError, RequestOptions
from tiktok_shop_async.registry import find_operation
from tiktok_shop_async.sandbox.http.multipart import parse_form
from tiktok_shop_async.sandbox.http.validation import check_body, check_query

NAIVE = datetime(2026, 11, 24, 12, 0)
AWARE = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
SECONDS = 1795521600
DAY = date(2026, 11, 24)
TIMES = ("unix-seconds", "unix-milliseconds")
COMMON_PARAMETERS = ("app_key", "timestamp", "sign", "shop_cipher", "category_asset_cipher")
"""Query parameters that the client adds."""

Node = dict[str, Any]


class Text(Enum):
    VALUE = "value"


class Number(IntEnum):
    TEN = 10


def facts() -> dict[tuple[str, str, str], str]:
    """Return the formats that the overrides add, by group, type and name."""
    overrides = tomllib.loads((ROOT / "overrides.toml").read_text())
    return {
        (fact["group"], fact["type"], field): fact["format"]
        for fact in overrides["fact"]
        for field in fact["fields"]
    }


FACTS = facts()


def kind_of(group: str, name: str, node: Node, *, top: bool) -> str:
    """Return a node's type, or its format where that decides what is accepted."""
    kind = node["type"]
    if kind == "file" and not top:
        return "object"
    form = node.get("format") or FACTS.get((group, kind, name))
    return f"{kind} {form}" if form in (*TIMES, "date") else str(kind)


WRONG: dict[str, list[Any]] = {
    "string": [2.5, float("nan"), True, Decimal("NaN"), NAIVE, AWARE, DAY, b"x", ["x"], {"x": 1}],
    "integer": [2.5, 2.0, True, "", "x", "1.5", "07", " 7", Decimal("1.5"), NAIVE, DAY, b"7", [7]],
    "boolean": [0, 1, "true", 1.0, [True], AWARE],
    "number": ["x", True, NAIVE, [1.5]],
    "array": ["x", b"x", 5, True, {"x": 1}, [None], NAIVE],
    "object": ["x", b"x", 5, True, [], [{"x": 1}], NAIVE],
    "file": ["x", 5, [b"x"], {"x": b"x"}, NAIVE],
}
WRONG["string date"] = [value for value in WRONG["string"] if value is not DAY]
for one in TIMES:
    WRONG[f"string {one}"] = [value for value in WRONG["string"] if value is not AWARE]
    WRONG[f"integer {one}"] = WRONG["integer"]


def wrong_values(kind: str) -> Iterator[Any]:
    yield from WRONG[kind]
    if kind == "integer":
        yield AWARE  # nobody knows its unit
    if kind == "array":
        yield iter(["x"])  # a retry would find it empty


def broken(
    group: str, name: str, node: Node, version: str, value: Any, path: str, *, top: bool = True
) -> Iterator[tuple[str, Any]]:
    """Yield, for each node of ``value``, its path and ``value`` with something wrong there."""
    kind = kind_of(group, name, node, top=top)
    for wrong in wrong_values(kind):
        inside = "[0]" if kind == "array" and wrong == [None] else ""
        yield path + inside, wrong
    if kind == "array":
        item = node["items"]
        for where, wrong in broken(group, name, item, version, value[0], f"{path}[0]", top=False):
            yield where, [wrong]
    elif kind == "object":
        for key, child in in_version(node.get("fields", {}), version).items():
            inner = f"{path}.{key}"
            for where, wrong in broken(group, key, child, version, value[key], inner, top=False):
                yield where, value | {key: wrong}


ACCEPTED: dict[str, list[tuple[Any, Any]]] = {
    "string": [(7, "7"), (Decimal("1E+2"), "100")],
    "string date": [(Text.VALUE, "value"), (DAY, "2026-11-24")],
    "string unix-seconds": [(SECONDS, str(SECONDS)), (AWARE, str(SECONDS))],
    "string unix-milliseconds": [(SECONDS, str(SECONDS)), (AWARE, f"{SECONDS}250")],
    "integer": [("10", 10), (Number.TEN, 10)],
    "integer unix-seconds": [(str(SECONDS), SECONDS), (AWARE, SECONDS)],
    "integer unix-milliseconds": [(SECONDS, SECONDS), (AWARE, SECONDS * 1000 + 250)],
    "boolean": [(True, True), (False, False)],
    "file": [(bytearray(b"a file"), b"a file"), (BytesIO(b"a file"), b"a file")],
}
"""Kind -> two values that are accepted, with what is to be sent for each."""


def accepted(
    group: str, name: str, node: Node, version: str, choice: int, *, top: bool = True
) -> tuple[Any, Any]:
    """Return a value of an accepted kind that is not the plain one, and what is to be sent."""
    if name == "idempotency_key":
        return "key-7", "key-7"  # a journal compares keys, so they are text from the beginning
    kind = kind_of(group, name, node, top=top)
    if kind == "array":
        given, sent = accepted(group, name, node["items"], version, choice, top=False)
        return [(given,), {"": given}.values()][choice], [sent]
    if kind == "object":
        fields = in_version(node.get("fields", {}), version)
        both = {
            key: accepted(group, key, child, version, choice, top=False)
            for key, child in fields.items()
        }
        values = MappingProxyType({key: value for key, (value, _) in both.items()})
        return values, {key: sent for key, (_, sent) in both.items()}
    return ACCEPTED[kind][choice]


def arguments_of(name: str, version: str) -> Iterator[tuple[str, str, Node]]:
    """Yield the arguments of an operation: location, wire name and node."""
    for location in ("path_params", "query", "body"):
        for wire, node in in_version(OPERATIONS[name][location], version).items():
            yield location, wire, node


@pytest.mark.parametrize(("name", "version"), ENDPOINTS, ids=lambda value: value)
async def test_each_wrong_kind_is_rejected_unsent_and_the_argument_is_named(
    name: str, version: str
) -> None:
    shop, group = FakeShop(), name.partition(".")[0]
    options = RequestOptions(api_version=version)
    given = {
        RENAMED.get(wire, wire): example(node, version, wire, top=True)
        for _, wire, node in arguments_of(name, version)
    }
    async with new_client(shop) as client:
        for _, wire, node in arguments_of(name, version):
            python = RENAMED.get(wire, wire)
            for path, wrong in broken(group, wire, node, version, given[python], python):
                with pytest.raises(InvalidArgumentError) as caught:
                    await method(client, name)(**given | {python: wrong}, options=options)
                assert caught.value.argument == path, (wrong, str(caught.value))
                assert caught.value.operation == name
    assert not shop.requests


@pytest.mark.parametrize("choice", [0, 1])
@pytest.mark.parametrize(("name", "version"), ENDPOINTS, ids=lambda value: value)
async def test_each_accepted_kind_arrives_as_the_documents_say(
    name: str, version: str, choice: int
) -> None:
    shop, group = FakeShop().answer({}), name.partition(".")[0]
    given: dict[str, Any] = {}
    sent: dict[str, dict[str, Any]] = {"path_params": {}, "query": {}, "body": {}}
    for location, wire, node in arguments_of(name, version):
        value, expected = accepted(group, wire, node, version, choice)
        given[RENAMED.get(wire, wire)] = value
        sent[location][wire] = expected
    async with new_client(shop) as client:
        options = RequestOptions(api_version=version)
        if name == "affiliate_seller.download_compass_task_file":
            shop.answers[:] = []
            shop.answer({"file": {"base64": "AAAA"}})
        await method(client, name)(**given, options=options)
    request = shop.last
    assert request.url.path == OPERATIONS[name]["path"].format(
        version=version, **sent["path_params"]
    )
    params = request.url.params
    assert {key: params[key] for key in sent["query"]} == {
        key: query_text(value) for key, value in sent["query"].items()
    }
    assert body_of(request) == in_form(sent["body"], request)
    check_in_sandbox(name, version, request)


def check_in_sandbox(name: str, version: str, request: httpx.Request) -> None:
    """Raise what the sandbox would refuse the arguments with: it and the client must agree."""
    content_type = request.headers.get("content-type", "")
    body, files = body_of(request), {}
    if content_type.startswith("multipart/"):
        body, files = parse_form(content_type, request.content)  # type: ignore[assignment]
    operation = find_operation(name)
    check_query(operation, version, dict(request.url.params), COMMON_PARAMETERS)
    check_body(operation, version, body, files)


def body_of(request: httpx.Request) -> dict[str, Any]:
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("multipart/"):
        return json.loads(request.content) if request.content else {}  # type: ignore[no-any-return]
    texts, files = parse_form(content_type, request.content)
    return {**texts, **{name: file.content for name, file in files.items()}}


def in_form(body: dict[str, Any], request: httpx.Request) -> dict[str, Any]:
    """Return ``body`` as it is sent: in a form, all that is no file is text."""
    if not request.headers.get("content-type", "").startswith("multipart/"):
        return body
    return {
        key: value if isinstance(value, (str, bytes)) else json.dumps(value, separators=(",", ":"))
        for key, value in body.items()
    }
