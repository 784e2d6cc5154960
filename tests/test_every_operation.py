"""Each operation of the catalogue, in each of its versions: its request and its response."""

from __future__ import annotations

import inspect
import json
from typing import Any

import attrs
import httpx
import pytest
from signatures import expected_signature, sent_signature
from support import (
    APP_SECRET,
    CATEGORY_ASSET_CIPHER,
    SHOP_CIPHER,
    FakeShop,
    envelope,
    new_client,
)

from catalogue import example, in_version, operations
from tiktok_shop_async import APIResponse, Pager, RequestOptions
from tiktok_shop_async.pipeline.arguments.values import plain

OPERATIONS = operations()
ENDPOINTS = [
    (name, version) for name, operation in OPERATIONS.items() for version in operation["versions"]
]
A_DOWNLOAD = "affiliate_seller.download_compass_task_file"
"""Without its file, its answer is an error."""
RENAMED = {"options": "filter_options"}
"""Arguments whose Python name differs from the wire's."""


def arguments(operation: dict[str, Any], version: str) -> dict[str, Any]:
    return {
        RENAMED.get(name, name): example(node, version, name, top=True)
        for place in ("path_params", "query", "body")
        for name, node in in_version(operation[place], version).items()
    }


def method(client: Any, name: str) -> Any:
    group, _, operation = name.partition(".")
    return getattr(getattr(client, group), operation)


async def call(name: str, version: str, shop: FakeShop) -> APIResponse[Any]:
    operation = OPERATIONS[name]
    async with new_client(httpx.MockTransport(shop.handle_async_request)) as client:
        result: APIResponse[Any] = await method(client, name)(
            **arguments(operation, version), options=RequestOptions(api_version=version)
        )
    return result


def query_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(query_text(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_there_are_437_operations_with_537_versions() -> None:
    assert len(OPERATIONS) == 437
    assert len(ENDPOINTS) == 537


@pytest.mark.parametrize(("name", "version"), ENDPOINTS, ids=lambda value: value)
async def test_the_request_is_what_the_catalogue_says(name: str, version: str) -> None:
    operation = OPERATIONS[name]
    shop = FakeShop().answer(example({"type": "object", "fields": operation["response"]}, version))
    await call(name, version, shop)
    request = shop.last
    given = arguments(operation, version)
    path = operation["path"].format(version=version, **given)
    assert (request.method, request.url.path) == (operation["method"], path)
    assert sent_signature(request) == expected_signature(request, APP_SECRET)
    expected_query = {
        key: query_text(given[key]) for key in in_version(operation["query"], version)
    }
    if operation["auth"]["shop_cipher"]:
        expected_query["shop_cipher"] = SHOP_CIPHER
    if operation["auth"]["category_asset_cipher"]:
        expected_query["category_asset_cipher"] = CATEGORY_ASSET_CIPHER
    sent_query = dict(request.url.params)
    for signed in ("app_key", "timestamp", "sign"):
        del sent_query[signed]
    assert sent_query == expected_query
    body = in_version(operation["body"], version)
    if operation["content_type"] == "multipart/form-data":
        assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert all(f'name="{key}"'.encode() in request.content for key in body)
    elif body or (operation["content_type"] and operation["method"] != "GET"):
        assert request.headers["content-type"] == "application/json"
        assert json.loads(request.content) == {key: given[RENAMED.get(key, key)] for key in body}
    else:
        assert request.content == b""


@pytest.mark.parametrize(("name", "version"), ENDPOINTS, ids=lambda value: value)
async def test_a_full_answer_is_decoded_and_goes_back_without_loss(name: str, version: str) -> None:
    node = {"type": "object", "fields": OPERATIONS[name]["response"]}
    data = example(node, version) if node["fields"] else {}
    shop = FakeShop().answer_raw(json.dumps(envelope(data)).encode())
    response = await call(name, version, shop)
    assert response.issues == ()
    assert response.operation == name
    assert attrs.has(type(response.data))
    again = plain(response.data, "")
    assert again == data


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {A_DOWNLOAD}))
async def test_an_answer_of_the_wrong_kind_everywhere_still_gives_a_response(name: str) -> None:
    data = {key: {"odd": [None]} for key in OPERATIONS[name]["response"]} | {"more": 1}
    shop = FakeShop().answer(data)
    response = await call(name, OPERATIONS[name]["versions"][-1], shop)
    assert response.json()["data"] == data


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_method_documents_itself(name: str) -> None:
    function = method(new_client(), name)
    doc = inspect.getdoc(function) or ""
    summary = doc.partition("\n")[0]
    assert summary.endswith(".")
    pages = OPERATIONS[name]["docs"]
    if pages.get(OPERATIONS[name]["versions"][-1]):
        assert f"https://partner.tiktokshop.com/docv2/page/{pages[max(pages)]}" in doc
    parameters = inspect.signature(function).parameters.values()
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)


async def test_79_operations_are_paged() -> None:
    client = new_client()
    paged = [name for name in OPERATIONS if "Pager" in str(inspect.signature(method(client, name)))]
    assert sorted(paged) == sorted(name for name, op in OPERATIONS.items() if op.get("pagination"))
    assert len(paged) == 79
    assert isinstance(client.order.get_order_list(page_size=1), Pager)
