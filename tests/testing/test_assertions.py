"""Assertions about calls: equal if equal on the wire, with messages that show the difference."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from signatures import expected_signature
from test_every_operation import method

from tiktok_shop_async import AsyncTikTokShop, RequestOptions
from tiktok_shop_async.models.return_refund import Sku
from tiktok_shop_async.testing import MockTikTokShop, UnexpectedRequestError

CANCEL = "return_refund.cancel_order"
SEARCH = "order.get_order_list"
MOMENT = datetime(2026, 11, 24, tzinfo=UTC)
SECONDS = 1795478400


class Status(StrEnum):
    UNPAID = "UNPAID"


@pytest.fixture
def mock() -> MockTikTokShop:
    return MockTikTokShop()


@pytest.fixture
async def client(mock: MockTikTokShop) -> AsyncIterator[AsyncTikTokShop]:
    async with mock.client() as client:
        yield client


def cancelling(**more: Any) -> dict[str, Any]:
    return {"order_id": "1", "cancel_reason": "x", **more}


def price(amount: Any) -> dict[str, Any]:
    return {"product_id": "1", "skus": [{"id": "1", "price": {"amount": amount}}]}


EQUAL = [
    pytest.param(CANCEL, cancelling(), cancelling(skus=None), id="None is absent"),
    pytest.param(CANCEL, cancelling(skus=None), cancelling(), id="absent is None"),
    pytest.param(
        CANCEL,
        cancelling(skus=(Sku(sku_id="5", quantity=2),)),
        cancelling(skus=[{"sku_id": 5, "quantity": "2"}]),
        id="models and mappings, tuples and lists, numbers and text",
    ),
    pytest.param(
        CANCEL,
        cancelling(skus=[Sku(sku_id="5", quantity=2)]),
        cancelling(skus=[MappingProxyType({"sku_id": "5", "quantity": 2})]),
        id="any mapping",
    ),
    pytest.param(CANCEL, cancelling(order_id=7), cancelling(order_id="7"), id="ids"),
    pytest.param(
        SEARCH,
        {"page_size": 5, "order_status": Status.UNPAID, "create_time_ge": MOMENT},
        {"page_size": "5", "order_status": "UNPAID", "create_time_ge": SECONDS},
        id="enums and times",
    ),
    pytest.param(
        "order.get_order_detail", {"ids": ["1,2"]}, {"ids": ["1", "2"]}, id="a list in the query"
    ),
    pytest.param(
        "order.get_order_detail", {"ids": (1, 2)}, {"ids": ["1", "2"]}, id="numbers in the query"
    ),
    pytest.param("product.update_price", price(Decimal("9.90")), price("9.90"), id="decimals"),
    pytest.param(
        "product.get_product",
        {"product_id": 1, "return_draft_version": True},
        {"product_id": "1", "return_draft_version": True},
        id="booleans in the query",
    ),
    pytest.param(
        "analytics.get_shop_performance",
        {"start_date_ge": date(2026, 11, 24), "end_date_lt": "2026-11-25"},
        {"start_date_ge": "2026-11-24", "end_date_lt": date(2026, 11, 25)},
        id="dates",
    ),
    pytest.param(
        "product.upload_product_image",
        {"data": io.BytesIO(b"png"), "use_case": "MAIN_IMAGE"},
        {"data": bytearray(b"png"), "use_case": "MAIN_IMAGE"},
        id="files",
    ),
]


@pytest.mark.parametrize(("name", "given", "expected"), EQUAL)
async def test_calls_are_equal_if_they_are_equal_on_the_wire(
    name: str,
    given: dict[str, Any],
    expected: dict[str, Any],
    mock: MockTikTokShop,
    client: AsyncTikTokShop,
) -> None:
    mocked = method(mock, name).respond()
    await method(client, name)(**given)
    for arguments in (given, expected, given):
        mocked.assert_called_once_with(**arguments)
        mocked.assert_any_call(**arguments)
        mocked.assert_called_with(**arguments)


async def test_files_are_compared_by_content(
    mock: MockTikTokShop, client: AsyncTikTokShop, tmp_path: Path
) -> None:
    picture = tmp_path / "shirt.png"
    picture.write_bytes(b"png")
    mocked = mock.product.upload_product_image.respond()
    with picture.open("rb") as file:
        await client.product.upload_product_image(data=file)
        mocked.assert_called_once_with(data=file)
    mocked.assert_called_once_with(data=picture)
    with pytest.raises(AssertionError, match=r"data: sent b'png', expected b'jpg'"):
        mocked.assert_called_once_with(data=b"jpg")
    with pytest.raises(AssertionError, match="cannot be called with the expected arguments"):
        mocked.assert_called_once_with(data=tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        (cancelling(order_id="2"), ["order_id: sent '1', expected '2'"]),
        (
            cancelling(skus=[{"sku_id": "5", "quantity": 3}]),
            ["skus[0].quantity: sent 2, expected 3"],
        ),
        ({"order_id": "1"}, ["cancel_reason: sent 'x', not expected", "skus: sent [{"]),
        (cancelling(line_items=["7"]), ["skus: sent", "line_items: not sent, expected ['7']"]),
        (
            cancelling(skus=[{"sku_id": "5", "quantity": 2, "hint": None}]),
            ["skus[0].hint: not sent, expected None"],
        ),
        (cancelling(skus=[]), ["skus: sent [{'sku_id': '5', 'quantity': 2}], expected []"]),
    ],
)
async def test_a_failure_names_the_operation_and_each_difference(
    expected: dict[str, Any], lines: list[str], mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mocked = mock.return_refund.cancel_order.respond()
    await client.return_refund.cancel_order(**cancelling(skus=[{"sku_id": "5", "quantity": 2}]))
    for check in (
        mocked.assert_called_with,
        mocked.assert_called_once_with,
        mocked.assert_any_call,
    ):
        with pytest.raises(AssertionError) as caught:
            check(**expected)
        message = str(caught.value)
        assert "return_refund.cancel_order" in message
        assert [line for line in lines if f"\n  {line}" not in message] == []


async def test_a_failure_of_any_call_shows_the_latest_calls(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mocked = mock.return_refund.cancel_order.respond()
    with pytest.raises(AssertionError, match=r"none of 0 calls of return_refund\.cancel_order"):
        mocked.assert_any_call(order_id="9")
    for number in range(5):
        await client.return_refund.cancel_order(**cancelling(order_id=str(number)))
    with pytest.raises(AssertionError) as caught:
        mocked.assert_any_call(**cancelling(order_id="9"))
    message = str(caught.value)
    assert "none of 5 calls of return_refund.cancel_order" in message
    assert "call 5:\n  order_id: sent '4', expected '9'" in message
    assert "call 2:" not in message


async def test_extra_arguments_are_arguments(mock: MockTikTokShop, client: AsyncTikTokShop) -> None:
    mocked = mock.order.get_order_list.respond()
    options = RequestOptions(extra_query={"new": [1, 2]}, extra_body={"newer": {"deep": 1}})
    await client.order.get_order_list(page_size=5, options=options)
    mocked.assert_called_with(page_size=5, new="1,2", newer={"deep": 1})
    with pytest.raises(AssertionError, match=r"new: sent '1,2', not expected"):
        mocked.assert_called_with(page_size=5, newer={"deep": 1})


async def test_true_is_not_one(mock: MockTikTokShop, client: AsyncTikTokShop) -> None:
    mocked = mock.order.get_order_list.respond()
    for sent, expected in ((True, 1), (1, True), (False, 0)):
        await client.order.get_order_list(
            page_size=5, options=RequestOptions(extra_body={"new": sent, "list": [sent]})
        )
        mocked.assert_called_with(page_size=5, new=sent, list=[sent])
        with pytest.raises(AssertionError, match=f"new: sent {sent}, expected {expected}"):
            mocked.assert_called_with(page_size=5, new=expected, list=[sent])


async def test_failures_show_no_secret(mock: MockTikTokShop, client: AsyncTikTokShop) -> None:
    mocked = mock.order.get_order_list.respond()
    secret = "a-secret-of-mine"
    extra = {"token": secret, "nested": [{"app_secret": secret}], "same": 1}
    await client.order.get_order_list(page_size=5, options=RequestOptions(extra_body=extra))
    for check in (mocked.assert_called_with, mocked.assert_any_call):
        for other in (5, "6", [{"app_secret": "a-secret-of-yours"}]):
            with pytest.raises(AssertionError) as caught:
                check(page_size=5, token=other, nested=other)
            assert "secret-of" not in str(caught.value)
            assert "token: sent '***', expected '***'" in str(caught.value)
    assert secret not in repr(mocked.calls[0])
    assert "'page_size': 5" in repr(mocked.calls[0])


async def test_a_long_difference_is_shortened(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mocked = mock.order.get_order_list.respond()
    extra = {f"field_{number}": "x" * 5000 for number in range(100)}
    await client.order.get_order_list(page_size=5, options=RequestOptions(extra_body=extra))
    with pytest.raises(AssertionError) as caught:
        mocked.assert_called_with(page_size=5)
    assert len(str(caught.value)) < 10_000


async def test_an_expected_value_that_cannot_be_sent_is_an_error(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mocked = mock.return_refund.cancel_order.respond()
    await client.return_refund.cancel_order(**cancelling())
    with pytest.raises(AssertionError, match="cannot be called with the expected arguments"):
        mocked.assert_called_with(**cancelling(order_id=1.5))


async def test_options_are_not_arguments(mock: MockTikTokShop, client: AsyncTikTokShop) -> None:
    mocked = mock.return_refund.cancel_order.respond()
    options = RequestOptions(extra_headers={"x-key": "a-secret-of-mine"})
    await client.return_refund.cancel_order(**cancelling(), options=options)
    with pytest.raises(
        AssertionError, match="options are not an argument of the request"
    ) as caught:
        mocked.assert_called_with(**cancelling(), options=options)
    assert "secret-of" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sku": ["5"]}, "return_refund.cancel_order has no argument 'sku'. Did you mean skus?"),
        ({"sku": None}, "return_refund.cancel_order has no argument 'sku'. Did you mean skus?"),
        ({"order_idd": "1"}, "has no argument 'order_idd'. Did you mean order_id?"),
        ({"api_version": "202602"}, "has no argument 'api_version'."),
    ],
)
async def test_an_unknown_argument_fails_with_the_closest_one(
    given: dict[str, Any], said: str, mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    """Even if it is expected to be None: a misspelt one would never have been sent."""
    mocked = mock.return_refund.cancel_order.respond()
    await client.return_refund.cancel_order(**cancelling())
    for check in (
        mocked.assert_called_with,
        mocked.assert_called_once_with,
        mocked.assert_any_call,
    ):
        with pytest.raises(AssertionError) as caught:
            check(**cancelling(**given))
        assert said in str(caught.value)


async def test_options_may_be_none(mock: MockTikTokShop, client: AsyncTikTokShop) -> None:
    """All methods take ``options=None``, as wrappers pass it."""
    mocked = mock.return_refund.cancel_order.respond()
    await client.return_refund.cancel_order(**cancelling(), options=None)
    mocked.assert_called_once_with(**cancelling(), options=None)


async def test_null_is_equal_to_none(mock: MockTikTokShop, client: AsyncTikTokShop) -> None:
    """A raw call or ``extra_body`` can send it; None is equal to a missing argument too."""
    mocked = mock.return_refund.cancel_order.respond()
    body = {**cancelling(), "skus": None, "new": None}
    await client.request("POST", "/return_refund/202602/cancellations", body=body)
    mocked.assert_called_with(**cancelling(skus=None, new=None, order_line_item_ids=None))
    mocked.assert_any_call(**cancelling(skus=None, new=None))
    with pytest.raises(AssertionError, match="new: sent None, not expected"):
        mocked.assert_called_with(**cancelling(skus=None))
    with pytest.raises(AssertionError, match="order_id: sent '1', expected None"):
        mocked.assert_called_with(**cancelling(order_id=None, skus=None, new=None))


# Requests that the service could not read.


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"page_size": "many"}, "page_size must be an integer, not 'many'"),
        ({"page_size": "1_0"}, "page_size must be an integer"),
        ({"page_size": "9" * 5000}, "page_size must be an integer"),
        ({"page_size": 1.5}, "page_size must be an integer, not '1.5'"),
        ({"page_size": [1, 2]}, "page_size must be an integer, not '1,2'"),
    ],
)
async def test_a_malformed_query_is_an_error_of_the_test(
    query: dict[str, Any], problem: str, mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mocked = mock.order.get_order_list.respond()
    with pytest.raises(UnexpectedRequestError, match=problem) as caught:
        await client.request("POST", "/order/202309/orders/search", query=query)
    assert caught.value.code == 36009004
    assert "order.get_order_list" in str(caught.value)
    assert mocked.call_count == 1
    with pytest.raises(UnexpectedRequestError):
        mock.assert_all_mocked()


async def test_a_boolean_in_the_query_is_true_or_false(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mock.product.get_product.respond()
    with pytest.raises(UnexpectedRequestError, match="must be true or false, not 'yes'"):
        await client.request(
            "GET", "/product/202309/products/1", query={"return_draft_version": "yes"}
        )


@pytest.mark.parametrize("body", [b"{", b'"text"', b"[1]", b"\xff", b"[" * 100_000])
async def test_a_malformed_body_is_an_error_of_the_test(body: bytes, mock: MockTikTokShop) -> None:
    mock.return_refund.cancel_order.respond()
    with pytest.raises(UnexpectedRequestError, match="the body must be a JSON object"):
        await send_cancellation(mock, body)


async def test_an_empty_list_is_a_body_without_fields(mock: MockTikTokShop) -> None:
    """PHP sends it."""
    mocked = mock.return_refund.cancel_order.respond()
    await send_cancellation(mock, b"[]")
    assert mocked.calls[0].arguments == {}


async def send_cancellation(mock: MockTikTokShop, body: bytes) -> None:
    request = httpx.Request(
        "POST",
        "https://any.example/return_refund/202602/cancellations",
        params={"app_key": "key", "shop_cipher": "cipher", "timestamp": "1"},
        headers={"x-tts-access-token": "token", "content-type": "application/json"},
        content=body,
    )
    sign = expected_signature(request, mock.app_secret)
    request.url = request.url.copy_add_param("sign", sign)
    async with httpx.AsyncClient(transport=mock.transport) as http:
        await http.send(request)


async def test_without_checks_malformed_values_are_arguments_as_they_are() -> None:
    mock = MockTikTokShop(check_requests=False)
    mocked = mock.order.get_order_list.respond()
    async with mock.client() as client:
        await client.request("POST", "/order/202309/orders/search", query={"page_size": "many"})
    assert mocked.calls[0].arguments == {"page_size": "many"}


async def test_an_empty_value_counts_as_missing(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mocked = mock.order.get_order_list.respond()
    await client.request("POST", "/order/202309/orders/search", query={"page_size": ""})
    assert mocked.calls[0].arguments == {}
