"""Example responses match the models of all operations, in all versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalogue import operations
from tiktok_shop_async.models.order import OrderDetail
from tiktok_shop_async.protocol.decoding import decode_data, read_envelope
from tiktok_shop_async.spec import shapes
from tiktok_shop_async.spec.examples import Examples

OPERATIONS = operations()


def answer(name: str, version: str, seed: str = "0") -> dict[str, Any]:
    fields = shapes.operation_shape(name)["response"]
    return Examples(seed=seed, version=version).make_object(fields)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_made_up_answer_has_every_field_of_its_version(name: str) -> None:
    for version in OPERATIONS[name]["versions"]:
        fields = shapes.in_version(OPERATIONS[name]["response"], version)
        assert answer(name, version).keys() == fields.keys()


def test_equal_seeds_make_equal_answers_and_others_do_not() -> None:
    first = answer("order.get_order_detail", "202507")
    assert first == answer("order.get_order_detail", "202507")
    assert first != answer("order.get_order_detail", "202507", seed="1")
    ids = [order["id"] for order in first["orders"]]
    assert len(set(ids)) == len(ids)


def test_a_made_up_answer_fits_its_model_without_coercion() -> None:
    body = json.dumps({"code": 0, "data": answer("order.get_order_detail", "202507")}).encode()
    envelope = read_envelope(body, OrderDetail)
    assert envelope is not None
    assert isinstance(envelope.data, OrderDetail)
    assert decode_data(OrderDetail, envelope.data)[1] == ()


def test_every_webhook_has_a_shape() -> None:
    assert len(shapes.webhook_types()) == 44
    assert shapes.webhook_shape(1)["event_type"] == "ORDER_STATUS_CHANGE"


def test_a_class_has_the_fields_of_all_its_places() -> None:
    assert {"id", "line_items", "payment"} <= shapes.class_fields("order", "Order").keys()
    with pytest.raises(KeyError, match=r"no model order\.Unicorn"):
        shapes.class_fields("order", "Unicorn")
