"""Typing mistakes in tests with the mock: errors that suggest the right name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tiktok_shop_async import AsyncTikTokShop, InvalidArgumentError
from tiktok_shop_async.models.order import LineItem, Order, OrderDetail
from tiktok_shop_async.models.return_refund import CancelOrderResult
from tiktok_shop_async.testing import MockCall, MockTikTokShop, example_response, make

DETAIL = "order.get_order_detail"


@pytest.fixture
def mock() -> MockTikTokShop:
    return MockTikTokShop()


@pytest.fixture
async def client(mock: MockTikTokShop) -> AsyncIterator[AsyncTikTokShop]:
    async with mock.client() as client:
        yield client


UNKNOWN = [
    ({"order": []}, r"'order'\. Did you mean orders\?"),
    ({"orders": [{"id": "1"}, {"idd": "1"}]}, r"'orders\[1\]\.idd'\. Did you mean id\?"),
    (
        {"orders": [{"line_items": [{"sku_idd": "1"}]}]},
        r"'orders\[0\]\.line_items\[0\]\.sku_idd'\. Did you mean sku_id",
    ),
    ({"orders": [{"payment": {"curency": "EUR"}}]}, r"'orders\[0\]\.payment\.curency'"),
    ({"orders": ({"idd": "1"},)}, r"'orders\[0\]\.idd'"),
    ({"orders": [make(LineItem)]}, r"'orders\[0\]\.sku_id'"),
    (make(CancelOrderResult), "'cancel_id'"),
    ({1: "x"}, "'1'"),
]
"""Data of a stub response, and the pattern of the error."""


@pytest.mark.parametrize(("data", "said"), UNKNOWN)
async def test_an_unknown_field_of_a_response_is_an_error(
    data: Any, said: str, mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    """Where it is set, or when a function returns it."""
    mocked = mock.order.get_order_detail
    with pytest.raises(TypeError, match=f"order.get_order_detail has no field {said}") as caught:
        mocked.respond(data)
    assert "unknown_fields=True" in str(caught.value)
    for answers in (data, [{"orders": []}, data]):
        with pytest.raises(TypeError, match=said):
            mocked.side_effect = answers
    assert not mocked.is_mocked

    async def answer(_: MockCall) -> Any:
        return data

    for answer_of_a_call in (answer, lambda _: data, iter([data])):
        mocked.side_effect = answer_of_a_call
        with pytest.raises(TypeError, match=said):
            await client.order.get_order_detail(ids=["1"])


async def test_an_unknown_field_may_be_meant(mock: MockTikTokShop) -> None:
    """As in a recorded response, which has fields that the catalogue lacks."""
    recorded = {"orders": [{"id": "1", "new": {"deep": 1}}], "more": True}
    whole = httpx.Response(200, json={"code": 0, "data": recorded})
    lenient = MockTikTokShop(check_responses=False)
    mock.order.get_order_detail.respond(recorded, unknown_fields=True)
    for shop, answer in ((mock, None), (mock, whole), (lenient, recorded), (lenient, [recorded])):
        if answer is not None:
            shop.order.get_order_detail.side_effect = answer
        async with shop.client() as client:
            response = await client.order.get_order_detail(ids=["1"])
        assert response.json()["data"] == recorded
        assert response.data.orders[0].id == "1"
    with pytest.raises(TypeError, match="whole envelope"):
        lenient.order.get_order_detail.respond({"code": 0, "message": "", "data": recorded})


@pytest.mark.parametrize(
    "data",
    [
        {"orders": [make(Order)]},
        {"orders": [make(Order), {"id": "1"}]},
        make(OrderDetail),
        {"orders": None},
        {"orders": [{"payment": None, "line_items": []}]},
        {"orders": "of another type"},  # to test code that meets it
        {},
    ],
)
def test_known_fields_are_accepted(data: Any, mock: MockTikTokShop) -> None:
    mock.order.get_order_detail.respond(data)


def test_free_form_objects_have_any_field(mock: MockTikTokShop) -> None:
    assert mock.order.get_order_list.respond({"orders": [], "next_page_token": "x"}).is_mocked


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("ordr", r"no group 'ordr'\. Did you mean order"),
        ("order.get_order_detial", "Did you mean order.get_order_detail"),
        ("order.get_order_detail.assert_called_onec", "assert_called_onec"),
        ("order.get_order_detail.return_value", "return_value"),
        ("check_request", "no group 'check_request'"),
    ],
)
def test_an_unknown_attribute_is_an_error(path: str, said: str, mock: MockTikTokShop) -> None:
    """Read or set: a misspelt ``side_effect`` would have no effect."""
    *above, name = path.split(".")
    target: Any = mock
    for each in above:
        target = getattr(target, each)
    with pytest.raises(AttributeError, match=said):
        getattr(target, name)
    with pytest.raises(AttributeError):
        setattr(target, name, {})


def test_an_operation_cannot_be_replaced(mock: MockTikTokShop) -> None:
    with pytest.raises(AttributeError):
        mock.order.get_order_detail = {"orders": []}  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"code": "36009002"},
            "code must be an error code, .* not '36009002'",
        ),
        ({"code": True}, "code must be an error code, .* not True"),
        ({"code": 1.5}, "code must be an error code, .* not 1.5"),
        ({"code": 1, "http_status": "429"}, "http_status must be an integer from 100 to 599"),
        ({"code": 1, "http_status": 4290}, "http_status must be an integer from 100 to 599"),
        ({"code": 1, "http_staus": 429}, "http_staus"),
    ],
)
def test_a_wrong_failure_is_an_error(
    arguments: dict[str, Any], said: str, mock: MockTikTokShop
) -> None:
    with pytest.raises(TypeError, match=said):
        mock.order.get_order_detail.fail(**arguments)
    assert not mock.order.get_order_detail.is_mocked


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"check_request": False}, TypeError, "check_request"),
        ({"check_requests": "no"}, InvalidArgumentError, "check_requests must be"),
        ({"patch_httpx": None}, InvalidArgumentError, "patch_httpx must be"),
        ({"base_url": "a.example"}, InvalidArgumentError, "base_url"),
    ],
)
def test_a_wrong_option_of_the_mock_is_an_error(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        MockTikTokShop(**options)


@pytest.mark.parametrize(("data", "said"), UNKNOWN[:5])
def test_an_unknown_field_of_an_example_is_an_error(data: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        example_response(DETAIL, data=data)


def test_unknown_names_of_examples_are_errors() -> None:
    with pytest.raises(InvalidArgumentError, match=r"Did you mean order\.get_order_detail"):
        example_response("order.get_order_detial")
    with pytest.raises(InvalidArgumentError, match="version '202301' is unknown"):
        example_response(DETAIL, version="202301")
    with pytest.raises(TypeError, match=r"Order has no 'statuss'\. Did you mean status"):
        make(Order, statuss="UNPAID")
    with pytest.raises(TypeError, match="Did you mean currency"):
        make(Order, payment={"curency": "EUR"})
    with pytest.raises(TypeError, match="Did you mean sku_id"):
        make(Order, line_items=[{"sku_idd": "1"}])
