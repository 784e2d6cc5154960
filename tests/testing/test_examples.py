"""Example objects of all models, and example responses of all operations."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import attrs
import pytest
from test_every_operation import OPERATIONS

from tiktok_shop_async.models.order import LineItem, Order, OrderDetail
from tiktok_shop_async.pipeline.arguments.values import plain
from tiktok_shop_async.protocol.decoding import decode_data, read_envelope
from tiktok_shop_async.resources._groups import GROUPS
from tiktok_shop_async.testing import example_response, make

GROUPS_WITH_MODELS = [group for group in GROUPS if find_spec(f"tiktok_shop_async.models.{group}")]


@pytest.mark.parametrize("group", GROUPS_WITH_MODELS)
def test_every_model_has_an_example_with_all_its_fields(group: str) -> None:
    models = import_module(f"tiktok_shop_async.models.{group}")
    for name in models.__all__:
        made = make(getattr(models, name))
        empty = [
            field.name for field in attrs.fields(type(made)) if getattr(made, field.name) is None
        ]
        assert empty == [], name


def response_models(group: str) -> set[str]:
    """Return the names of the classes of responses' data."""
    text = files("tiktok_shop_async.spec.shapes").joinpath(f"{group}.json").read_text()
    return {shape["model"] for shape in json.loads(text).values() if "model" in shape}


@pytest.mark.parametrize("group", GROUPS_WITH_MODELS)
def test_an_example_of_a_response_survives_encoding_and_decoding(group: str) -> None:
    models = import_module(f"tiktok_shop_async.models.{group}")
    for name in sorted(response_models(group)):
        model = getattr(models, name)
        made = make(model)
        data = plain(made, "data")
        envelope = read_envelope(json.dumps({"code": 0, "data": data}).encode(), model)
        assert envelope is not None
        again, issues = decode_data(model, envelope.data)
        assert issues == (), name
        assert again == made, name


def test_equal_models_get_equal_examples() -> None:
    assert make(Order) == make(Order)


def test_overrides_replace_fields_at_any_depth() -> None:
    line = make(LineItem, id="5")
    order = make(
        Order,
        status="UNPAID",
        payment={"currency": "EUR"},
        line_items=[line, {"sku_id": "7"}],
        packages=[],
        buyer_message=None,
    )
    assert order.status == "UNPAID"
    assert order.payment is not None
    assert order.payment.currency == "EUR"
    assert order.payment.total_amount
    assert order.line_items[0] is line
    assert order.line_items[1].sku_id == "7"
    assert order.line_items[1].product_name
    assert order.packages == []
    assert order.buyer_message is None
    detail = make(OrderDetail, orders=[{"id": "1"}])
    assert [each.id for each in detail.orders] == ["1"]


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(TypeError, match="Order has no 'colour'"):
        make(Order, colour="red")
    with pytest.raises(TypeError, match="Did you mean status"):
        make(Order, statuss="UNPAID")


@pytest.mark.parametrize("value", [dict, "Order"])
def test_only_models_are_accepted(value: Any) -> None:
    with pytest.raises(TypeError, match="model must be a class of tiktok_shop_async"):
        make(value)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_an_example_response(name: str) -> None:
    response = example_response(name)
    assert response["code"] == 0
    newest = OPERATIONS[name]["versions"][-1]
    fields = OPERATIONS[name]["response"]
    assert response["data"].keys() == {
        field for field, node in fields.items() if newest in node.get("versions", [newest])
    }


def test_an_example_response_has_the_fields_of_its_version_and_what_was_given() -> None:
    older = example_response(
        "return_refund.cancel_order", version="202309", data={"cancel_id": "5"}
    )
    assert older["data"]["cancel_id"] == "5"
    assert "success" in older["data"]
    assert "success" not in example_response("return_refund.cancel_order")["data"]
