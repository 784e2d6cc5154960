"""Responses are decoded as far as they match; mismatches are reported and never lost."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import FakeShop, new_client

from tiktok_shop_async import AsyncTikTokShop, TikTokShopError
from tiktok_shop_async._internal.model import model, wire_name
from tiktok_shop_async.protocol import lenient_decoding as leniency
from tiktok_shop_async.protocol.decoding import decode_data, read_envelope


@model
class Line:
    id: str | None = None
    quantity: int | None = None
    tags: list[str] = attrs.field(factory=list)


@model
class Order:
    id: str | None = None
    paid: bool | None = None
    weight: float | None = None
    address: Line | None = None
    lines: list[Line] = attrs.field(factory=list)
    extra: dict[str, Any] | None = None


@model
class Report:
    gmv: str | None = wire_name("24h_gmv", default=None)
    orders: list[Order] = attrs.field(factory=list)


def decoded(kind: type[Any], text: str) -> tuple[Any, list[tuple[str, str, str]]]:
    envelope = read_envelope(b'{"code":0,"data":' + text.encode() + b"}", kind)
    assert envelope is not None
    data, issues = decode_data(kind, envelope.data)
    return data, [(issue.path, issue.expected, issue.found) for issue in issues]


@pytest.mark.parametrize("text", ["null", "{}", '{"lines":null,"extra":null,"id":null}'])
def test_absent_and_null_parts_are_none_and_empty_lists(text: str) -> None:
    assert decoded(Order, text) == (Order(), [])


def test_null_lists_inside_lists_are_empty_too() -> None:
    order, issues = decoded(Order, '{"lines":[{"id":"1","tags":null}]}')
    assert (order.lines, issues) == ([Line(id="1", tags=[])], [])


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ('{"id":576486316948490001}', Order(id="576486316948490001")),
        ('{"id":12345678901234567890123}', Order(id="12345678901234567890123")),
        ('{"id":1.10}', Order(id="1.10")),
        ('{"id":true}', Order(id="true")),
        ('{"lines":[{"quantity":"3"},{"quantity":3.0}]}',
         Order(lines=[Line(quantity=3), Line(quantity=3)])),
        ('{"weight":"1.5","paid":"True"}', Order(weight=1.5, paid=True)),
        ('{"weight":2,"paid":0}', Order(weight=2.0, paid=False)),
        ('{"id":"1","unknown":[1],"extra":{"any":[1.5,"x"]}}',
         Order(id="1", extra={"any": [1.5, "x"]})),
    ],
)  # fmt: skip
def test_what_loses_nothing_is_coerced(text: str, order: Order) -> None:
    assert decoded(Order, text) == (order, [])


def test_what_would_lose_something_is_left_out_and_reported_with_its_path() -> None:
    text = """{
        "id": {"value": "1"}, "paid": 2, "weight": "heavy", "address": "Main Street", "extra": [],
        "lines": [{"id": "1", "quantity": "many"}, 7, null, {"id": [2], "tags": ["a", {}]}]
    }"""
    order, issues = decoded(Order, text)
    assert order == Order(lines=[Line(id="1"), Line(tags=["a"])])
    assert sorted(issues) == [
        ("address", "object", "string"),
        ("extra", "object", "array"),
        ("id", "string", "object"),
        ("lines[0].quantity", "integer", "string"),
        ("lines[1]", "object", "number"),
        ("lines[2]", "object", "null"),
        ("lines[3].id", "string", "array"),
        ("lines[3].tags[1]", "string", "object"),
        ("paid", "boolean", "number"),
        ("weight", "number", "string"),
    ]


@pytest.mark.parametrize(("text", "found"), [("[]", "array"), ('"x"', "string"), ("1", "number")])
def test_data_of_another_kind_is_an_empty_model_and_an_issue(text: str, found: str) -> None:
    assert decoded(Order, text) == (Order(), [("", "object", found)])


def test_a_list_where_an_object_stands_is_left_empty() -> None:
    assert decoded(Order, '{"lines":{"id":"1"}}') == (Order(), [("lines", "array", "object")])


@pytest.mark.parametrize(
    ("number", "read"),
    [("3.0", 3), ("9007199254740993.0", 9007199254740993), ("9007199254740991.4", None),
     ("1e3", 1000), ("1e308", None), ("1e999", None), ("-0.0", 0), ("0e999999999999", 0)],
)  # fmt: skip
def test_a_number_becomes_an_integer_if_it_is_one(number: str, read: int | None) -> None:
    order, issues = decoded(Order, f'{{"lines":[{{"quantity":{number}}}]}}')
    assert order.lines[0].quantity == read
    assert bool(issues) is (read is None)


def test_values_that_are_not_json_are_issues_inside_of_free_form_objects() -> None:
    order, issues = decoded(Order, '{"extra":{"a":[1.5,NaN],"b":{"c":-Infinity}}}')
    assert order.extra == {"a": [1.5, None], "b": {"c": None}}
    assert issues == [("extra.a[1]", "number", "NaN"), ("extra.b.c", "number", "-Infinity")]


@pytest.mark.parametrize("error", [KeyError("x"), OverflowError(), RecursionError()])
def test_a_hook_that_fails_costs_its_own_part_alone(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A response that says success does not fail for what a user's hook makes of it."""
    fresh = leniency._new_converter()

    def fail(value: Any, _: Any) -> Any:
        raise error

    fresh.register_structure_hook(Line, fail)
    monkeypatch.setattr(leniency, "converter", fresh)
    order, issues = decoded(Order, '{"id":1,"lines":[{"id":"1"}]}')
    assert (order.id, order.lines) == ("1", [])
    assert issues == [("lines[0]", "Line", "object")]
    assert "a structure hook failed" in caplog.text


def test_renamed_fields_are_read_by_their_wire_names() -> None:
    report, issues = decoded(Report, '{"24h_gmv":"9.90","orders":[{"id":1}]}')
    assert (report, issues) == (Report(gmv="9.90", orders=[Order(id="1")]), [])


def test_half_a_surrogate_pair_does_not_hide_the_rest() -> None:
    order, issues = decoded(Order, '{"id":"\\ud83d","lines":[{"id":"1"}]}')
    assert (order.lines, issues) == ([Line(id="1")], [])


json_documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["1", "0", "x", "true"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["code", "data", "message", "request_id", "orders", "id", "line_items", "payment",
             "next_page_token", "total_count", "create_time", "packages"]
        ) | st.text(max_size=5),
        inner, max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=300)
@given(document=json_documents, inside=st.booleans())
async def test_any_json_document_gives_a_response_or_one_of_our_errors(
    document: Any, inside: bool
) -> None:
    body = {"code": 0, "data": document} if inside else document
    raw = json.dumps(body).encode()
    shop = FakeShop().answer_raw(raw)
    async with new_client(transport=shop) as client:
        try:
            response = await client.order.get_order_list(page_size=1)
        except TikTokShopError:
            assert not inside
        else:
            assert attrs.has(type(response.data))
            assert json.dumps(response.json()) == json.dumps(json.loads(raw))


@settings(max_examples=200)
@given(body=st.binary(max_size=200), status=st.sampled_from([200, 204, 302, 404, 429, 500, 503]))
async def test_any_bytes_give_one_of_our_errors(body: bytes, status: int) -> None:
    shop = FakeShop().answer_raw(body, status)
    async with new_client(transport=shop) as client:
        with pytest.raises(TikTokShopError):
            await client.order.get_order_list(page_size=1)


async def test_issues_reach_the_caller(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer({"orders": [{"id": 5, "payment": "none"}]})
    response = await client.order.get_order_list(page_size=1)
    assert response.data.orders[0].id == "5"
    assert [issue.path for issue in response.issues] == ["orders[0].payment"]
    assert response.json()["data"]["orders"][0]["payment"] == "none"
