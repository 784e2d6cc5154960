"""The mocked shop: stub responses, recorded calls, and rejected requests."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import httpx
import pytest
from test_every_operation import OPERATIONS, arguments, method

from tiktok_shop_async import (
    APIResponse,
    AsyncTikTokShop,
    AuthState,
    InvalidArgumentError,
    OutcomeUnknownError,
    RateLimitError,
    RequestOptions,
    ServiceUnavailableError,
)
from tiktok_shop_async.models.return_refund import CancelOrderResult, Sku
from tiktok_shop_async.testing import (
    MockCall,
    MockTikTokShop,
    UnexpectedRequestError,
    example_response,
    make,
)

CANCELLED = {"cancel_id": "4", "cancel_status": "CANCELLATION_REQUEST_SUCCESS"}


@pytest.fixture
def mock() -> MockTikTokShop:
    return MockTikTokShop()


@pytest.fixture
async def client(mock: MockTikTokShop) -> AsyncIterator[AsyncTikTokShop]:
    async with mock.client() as client:
        yield client


async def cancel(client: AsyncTikTokShop) -> APIResponse[CancelOrderResult]:
    return await client.return_refund.cancel_order(order_id="1", cancel_reason="out of stock")


async def test_an_operation_responds_with_the_given_data(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mock.return_refund.cancel_order.respond(CANCELLED, request_id="r-1")
    response = await cancel(client)
    assert (response.data.cancel_id, response.request_id) == ("4", "r-1")


async def test_a_model_may_be_the_data(mock: MockTikTokShop, client: AsyncTikTokShop) -> None:
    mock.return_refund.cancel_order.respond(make(CancelOrderResult, cancel_id="7"))
    assert (await cancel(client)).data.cancel_id == "7"


async def test_without_data_the_response_is_a_full_example(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mock.order.get_order_detail.respond()
    response = await client.order.get_order_detail(ids=["1"])
    assert response.issues == ()
    assert response.data.orders[0].line_items


async def test_a_failure_raises_the_error_it_means(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mock.return_refund.cancel_order.fail(36009002, "slow down", http_status=429, retry_after=3)
    with pytest.raises(RateLimitError, match="slow down") as caught:
        await cancel(client)
    assert caught.value.retry_after == 3


async def test_a_list_of_side_effects_is_used_in_order(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    def by_order(call: MockCall) -> dict[str, str]:
        return {"cancel_id": f"cancel-{call.arguments['order_id']}"}

    mock.return_refund.cancel_order.side_effect = [
        httpx.ReadTimeout("lost"),
        httpx.Response(503),
        httpx.ConnectError,
        CANCELLED,
        by_order,
    ]
    with pytest.raises(OutcomeUnknownError):
        await cancel(client)
    with pytest.raises(OutcomeUnknownError) as caught:
        await cancel(client)
    assert isinstance(caught.value.__cause__, ServiceUnavailableError)
    response = await cancel(client)  # without a connection nothing was sent: it is repeated
    assert (response.data.cancel_id, response.attempts) == ("4", 2)
    assert (await cancel(client)).data.cancel_id == "cancel-1"
    with pytest.raises(UnexpectedRequestError, match="all of its responses were used: 5"):
        await cancel(client)


async def test_one_side_effect_serves_all_calls(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    answer = httpx.Response(200, json={"code": 0, "data": CANCELLED})
    mock.return_refund.cancel_order.side_effect = answer
    assert mock.return_refund.cancel_order.side_effect is answer
    assert [(await cancel(client)).data.cancel_id for _ in range(2)] == ["4", "4"]


async def test_calls_are_recorded_with_the_python_names_of_arguments(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mocked = mock.return_refund.cancel_order.respond(CANCELLED)
    mocked.assert_not_called()
    await client.return_refund.cancel_order(
        order_id="1", cancel_reason="x", skus=[Sku(sku_id="5", quantity=2)]
    )
    expected = {"order_id": "1", "cancel_reason": "x", "skus": [{"sku_id": "5", "quantity": 2}]}
    assert mocked.called
    assert mocked.call_count == 1
    assert repr(mocked) == "<MockOperation return_refund.cancel_order, called 1 times>"
    assert mocked.calls[0].arguments == expected
    assert mocked.calls[0].version == "202602"
    mocked.assert_called_once_with(
        order_id="1", cancel_reason="x", skus=[Sku(sku_id="5", quantity=2)]
    )
    await cancel(client)
    mocked.assert_any_call(**expected)
    for wrong in (mocked.assert_called_with, mocked.assert_any_call):
        with pytest.raises(AssertionError, match="order_id"):
            wrong(order_id="2")
    with pytest.raises(AssertionError, match="called 2 times"):
        mocked.assert_called_once_with(order_id="1")
    for wrong_count in (mocked.assert_not_called, mocked.assert_called_once):
        with pytest.raises(AssertionError, match="called 2 times"):
            wrong_count()


def test_an_assertion_without_a_call_explains_that(mock: MockTikTokShop) -> None:
    with pytest.raises(AssertionError, match="was not called"):
        mock.return_refund.cancel_order.assert_called_with(order_id="1")


async def test_arguments_of_path_and_query_get_their_types_back(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mock.order.get_order_detail.respond()
    mock.product.get_product.respond()
    mock.order.get_order_list.respond({"orders": []})
    await client.order.get_order_detail(ids=["1", "2"])
    await client.product.get_product(product_id="a b?", return_draft_version=True)
    await client.order.get_order_list(page_size=5, update_time_ge=7)
    mock.order.get_order_detail.assert_called_once_with(ids=["1", "2"])
    mock.product.get_product.assert_called_once_with(product_id="a b?", return_draft_version=True)
    mock.order.get_order_list.assert_called_once_with(page_size=5, update_time_ge=7)


async def test_a_renamed_argument_has_its_python_name(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    group = "get_creator_marketplace_advanced_search_filters"
    mocked = getattr(mock.affiliate_seller, group).respond()
    wanted = [{"option_type": "OPTION_BRAND"}]
    await getattr(client.affiliate_seller, group)(filter_options=wanted)
    mocked.assert_called_once_with(filter_options=wanted)


async def test_a_form_has_text_fields_and_the_bytes_of_files(
    mock: MockTikTokShop, client: AsyncTikTokShop, tmp_path: Path
) -> None:
    picture = tmp_path / "shirt.png"
    picture.write_bytes(b"\x89PNG\r\n\x00\xff")
    mock.product.upload_product_image.respond({"uri": "tos/1"})
    await client.product.upload_product_image(data=picture, use_case="MAIN_IMAGE")
    mock.product.upload_product_image.assert_called_once_with(
        data=b"\x89PNG\r\n\x00\xff", use_case="MAIN_IMAGE"
    )


@pytest.mark.parametrize("name", OPERATIONS)
async def test_the_arguments_of_every_operation_are_read_back(
    name: str, mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    given = arguments(OPERATIONS[name], OPERATIONS[name]["versions"][-1])
    mocked = method(mock, name).respond()
    await method(client, name)(**given)
    mocked.assert_called_once_with(**given)


async def test_an_example_of_a_list_is_its_only_page(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mock.product.list_opportunities.respond()
    pager = client.product.list_opportunities(page_size=5, opportunity_type="PRODUCT")
    assert len([page async for page in pager.pages()]) == 1


async def test_other_versions_are_mocked_too(mock: MockTikTokShop, client: AsyncTikTokShop) -> None:
    mocked = mock.return_refund.cancel_order.respond(CANCELLED)
    await client.return_refund.cancel_order(
        order_id="1", cancel_reason="x", options=RequestOptions(api_version="202309")
    )
    assert mocked.calls[0].version == "202309"


async def test_pages_are_walked(mock: MockTikTokShop, client: AsyncTikTokShop) -> None:
    mock.order.get_order_list.side_effect = [
        {"orders": [{"id": "1"}], "next_page_token": "more"},
        {"orders": [{"id": "2"}]},
    ]
    assert [order.id async for order in client.order.get_order_list(page_size=1)] == ["1", "2"]
    assert mock.order.get_order_list.calls[1].arguments["page_token"] == "more"


async def test_the_error_names_an_operation_that_is_not_mocked(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    with pytest.raises(UnexpectedRequestError, match=r"mock\.order\.get_order_detail\.respond"):
        await client.order.get_order_detail(ids=["1"])
    with pytest.raises(UnexpectedRequestError, match="GET /nowhere is not an operation"):
        await client.request("GET", "/nowhere")


def test_unknown_groups_and_operations_are_attribute_errors(mock: MockTikTokShop) -> None:
    with pytest.raises(AttributeError, match=r"no group 'orders'\. Did you mean order"):
        mock.orders  # noqa: B018
    with pytest.raises(AttributeError, match=r"operation 'order\.cancel' is unknown"):
        mock.order.cancel  # noqa: B018
    with pytest.raises(AttributeError, match=r"Did you mean order\.get_order_detail"):
        mock.order.get_order_details  # noqa: B018


async def test_an_error_that_the_code_under_test_catches_fails_the_block() -> None:
    async def block(*answers: dict[str, str]) -> None:
        with MockTikTokShop() as mock:
            if answers:
                mock.return_refund.cancel_order.side_effect = answers
            async with mock.client() as client:
                for _ in range(2):
                    with contextlib.suppress(Exception):
                        await cancel(client)

    with pytest.raises(UnexpectedRequestError, match="is not mocked"):
        await block()
    with pytest.raises(UnexpectedRequestError, match="all of its responses were used: 1"):
        await block(CANCELLED)
    await block(CANCELLED, CANCELLED)


async def test_a_rejected_request_counts_as_a_call() -> None:
    with MockTikTokShop() as mock:
        mock.return_refund.cancel_order.respond(CANCELLED)
        async with mock.client(app_secret="another") as client:
            with pytest.raises(UnexpectedRequestError, match=r"mock\.app_secret"):
                await cancel(client)
        mock.assert_all_called()
        mock.reset()


async def test_a_client_of_the_code_under_test_may_take_the_mocks_secret() -> None:
    with MockTikTokShop() as mock:
        mock.return_refund.cancel_order.respond(CANCELLED)
        async with AsyncTikTokShop(
            "key", mock.app_secret, access_token="t", shop_cipher="c"
        ) as client:
            assert (await cancel(client)).data.cancel_id == "4"


async def test_other_services_are_routes_of_the_router() -> None:
    with MockTikTokShop() as mock:
        mock.router.get("https://stock.example/7").respond(json={"left": 3})
        async with httpx.AsyncClient() as http:
            assert (await http.get("https://stock.example/7")).json() == {"left": 3}
            with pytest.raises(AssertionError, match="not mocked"):
                await http.get("https://stock.example/8")


@pytest.mark.parametrize(
    ("name", "argument", "said"),
    [
        ("respond", "text", "data must be a mapping or a model"),
        ("respond", httpx.Response(200), "set side_effect for"),
        ("respond", example_response("return_refund.cancel_order"), 'value of its "data" field'),
        ("fail", "boom", "code must be an error code"),
        ("fail", 0, "for a success call respond"),
    ],
)
def test_an_invalid_response_is_rejected_when_it_is_set(
    name: str, argument: object, said: str, mock: MockTikTokShop
) -> None:
    with pytest.raises(TypeError, match=said):
        getattr(mock.return_refund.cancel_order, name)(argument)
    with pytest.raises(TypeError, match="cannot respond with"):
        mock.return_refund.cancel_order.side_effect = "text"
    assert not mock.return_refund.cancel_order.is_mocked


async def test_a_function_that_returns_nothing_is_named(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mock.return_refund.cancel_order.side_effect = [lambda _: None]
    with pytest.raises(TypeError, match=r"return_refund\.cancel_order cannot respond with None"):
        await cancel(client)


async def test_side_effects_may_be_generated_awaited_and_cancelled(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    async def slowly(call: MockCall) -> dict[str, str]:
        await asyncio.sleep(0)
        return {"cancel_id": call.version}

    mock.return_refund.cancel_order.side_effect = (
        answer for answer in (slowly, asyncio.CancelledError, CANCELLED)
    )
    assert (await cancel(client)).data.cancel_id == "202602"
    with pytest.raises(asyncio.CancelledError):
        await cancel(client)
    assert (await cancel(client)).data.cancel_id == "4"


@pytest.mark.parametrize(
    ("method", "path", "options", "fault"),
    [
        (
            "POST",
            "/return_refund/202602/cancellations",
            {"cipher": "none"},
            "shop_cipher is missing",
        ),
        (
            "GET",
            "/authorization/202309/shops",
            {"cipher": "shop_cipher"},
            "must not have the shop_cipher",
        ),
    ],
)
async def test_a_request_that_the_service_would_reject_fails(
    method: str,
    path: str,
    options: dict[str, str],
    fault: str,
    mock: MockTikTokShop,
    client: AsyncTikTokShop,
) -> None:
    mock.return_refund.cancel_order.respond(CANCELLED)
    mock.authorization.get_authorized_shops.respond()
    with pytest.raises(UnexpectedRequestError, match=fault):
        await client.request(method, path, **options)  # type: ignore[arg-type]


async def test_a_wrong_signature_fails_unless_checks_are_off() -> None:
    for check in (True, False):
        mock = MockTikTokShop(check_requests=check)
        mock.return_refund.cancel_order.respond(CANCELLED)
        async with AsyncTikTokShop(
            "key", "another secret", access_token="t", shop_cipher="c", transport=mock.transport
        ) as client:
            if check:
                with pytest.raises(UnexpectedRequestError, match="signature is wrong"):
                    await cancel(client)
            else:
                assert (await cancel(client)).data.cancel_id == "4"


async def test_as_a_context_manager_it_replaces_the_network_for_all_clients() -> None:
    async with (
        AsyncTikTokShop("key", "secret", access_token="token", shop_cipher="cipher") as client,
        MockTikTokShop(app_secret="secret") as mock,
    ):
        mock.return_refund.cancel_order.respond(CANCELLED)
        assert (await cancel(client)).data.cancel_id == "4"


def test_a_mocked_operation_that_is_never_called_fails_the_block() -> None:
    def block(**options: bool) -> None:
        with MockTikTokShop(**options) as mock:
            mock.order.get_order_detail.respond()
            assert not mock.order.get_order_list.is_mocked

    with pytest.raises(AssertionError, match=r"never called: order\.get_order_detail$"):
        block()
    block(assert_all_called=False)


def test_an_error_in_the_block_is_not_hidden_by_uncalled_mocks() -> None:
    def block() -> None:
        with MockTikTokShop() as mock:
            mock.order.get_order_detail.respond()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()


@MockTikTokShop()
async def test_as_a_decorator_it_passes_itself(mock: MockTikTokShop) -> None:
    mock.return_refund.cancel_order.respond(CANCELLED)
    async with mock.client() as client:
        assert (await cancel(client)).data.cancel_id == "4"


@MockTikTokShop()
def test_a_decorated_function_need_not_want_the_mock() -> None:
    """And may be a plain one."""


async def test_a_decorated_function_starts_with_nothing_mocked() -> None:
    shop = MockTikTokShop(assert_all_called=False)

    @shop
    async def mocks(mock: MockTikTokShop) -> None:
        assert not mock.order.get_order_detail.is_mocked
        mock.order.get_order_detail.respond()

    await mocks()
    await mocks()


async def test_a_client_may_bring_its_own_auth_state(mock: MockTikTokShop) -> None:
    mock.return_refund.cancel_order.respond(CANCELLED)
    async with mock.client(auth=AuthState(access_token="t")) as client:
        with pytest.raises(InvalidArgumentError, match="shop_cipher"):
            await cancel(client)
        client.auth.shop_cipher = "c"
        assert (await cancel(client)).data.cancel_id == "4"


async def test_values_that_json_lacks_are_compared_as_they_are_sent(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    mock.product.update_price.respond()
    skus = [{"id": "1", "price": {"amount": Decimal("9.90"), "currency": "USD"}}]
    await client.product.update_price(product_id="1", skus=skus)
    mock.product.update_price.assert_called_once_with(product_id="1", skus=skus)


async def test_arguments_are_compared_as_they_are_sent(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    """An ``int`` for an id is text, and a datetime counts seconds or milliseconds as its field."""
    mock.order.get_order_list.respond()
    mock.return_refund.approve_return.respond()
    given = {"page_size": "2", "create_time_ge": datetime(2026, 11, 24, tzinfo=UTC)}
    await client.order.get_order_list(**given)
    mock.order.get_order_list.assert_called_once_with(**given)
    mock.order.get_order_list.assert_any_call(page_size=2, create_time_ge=1795478400)
    await client.return_refund.approve_return(return_id=7, decision="APPROVE_REFUND")
    mock.return_refund.approve_return.assert_called_with(return_id=7, decision="APPROVE_REFUND")
    with pytest.raises(AssertionError, match="not with"):
        mock.return_refund.approve_return.assert_called_with(return_id=8, decision="x")


# Whole responses and functions as stubs.


def compressed() -> httpx.Response:
    body = gzip.compress(json.dumps({"code": 0, "message": "", "data": CANCELLED}).encode())
    return httpx.Response(200, headers={"content-encoding": "gzip"}, content=body)


def streamed() -> httpx.Response:
    return httpx.Response(200, content=iter([b'{"code": 0, "message": "", ', b'"data": {}}']))


@pytest.mark.parametrize("make_response", [compressed, streamed])
async def test_a_whole_response_may_be_compressed_or_streamed(
    make_response: Any, mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    """And serve any number of calls."""
    response = make_response()
    mock.return_refund.cancel_order.side_effect = response
    for _ in range(2):
        assert (await cancel(client)).json() == response.json()


async def test_a_whole_response_may_be_an_asynchronous_stream(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"code": 0, "message": "", "data": {"cancel_id": "4"}}'

    mock.return_refund.cancel_order.side_effect = httpx.Response(200, content=body())
    for _ in range(2):
        assert (await cancel(client)).data.cancel_id == "4"


@pytest.mark.parametrize("kind", [AsyncMock, MagicMock])
async def test_a_mock_of_unittest_is_a_function_of_the_call(
    kind: Any, mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    """It is iterable, too."""
    answer = kind(return_value=CANCELLED)
    mock.return_refund.cancel_order.side_effect = answer
    assert (await cancel(client)).data.cancel_id == "4"
    answer.assert_called_once_with(mock.return_refund.cancel_order.calls[0])


@pytest.mark.parametrize(
    ("value", "problem"),
    [(datetime(2026, 11, 24), "must be an aware datetime"), (object(), "cannot be")],
)
async def test_data_that_cannot_be_json_is_a_mistake_of_the_test(
    value: object, problem: str, mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    """It is not an error of the SDK, which the code under test may handle."""
    data = {"orders": [{"create_time": value}]}
    mocked = mock.order.get_order_detail
    said = rf"order\.get_order_detail.*orders\[0\]\.create_time {problem}"
    with pytest.raises(TypeError, match=said):
        mocked.respond(data)
    for stub in (data, lambda _: data):
        mocked.side_effect = stub
        with pytest.raises(TypeError, match=said):
            await client.order.get_order_detail(ids=["1"])


async def test_the_error_of_a_list_that_is_used_up_counts_its_responses(
    mock: MockTikTokShop, client: AsyncTikTokShop
) -> None:
    """Calls before the list was set do not count, nor do exceptions of a generator."""

    def responses() -> Iterator[Any]:
        yield CANCELLED
        raise ValueError("of the test")

    mocked = mock.return_refund.cancel_order.respond()
    for _ in range(3):
        await cancel(client)
    mocked.side_effect = [CANCELLED]
    await cancel(client)
    with pytest.raises(UnexpectedRequestError, match=r"cancel_order .* responses were used: 1\."):
        await cancel(client)
    mocked.side_effect = []
    with pytest.raises(UnexpectedRequestError, match=r"cancel_order .* responses were used: 0\."):
        await cancel(client)
    mocked.side_effect = responses()
    await cancel(client)
    with pytest.raises(ValueError, match="of the test"):
        await cancel(client)
    with pytest.raises(UnexpectedRequestError, match=r"cancel_order .* responses were used: 1\."):
        await cancel(client)


@pytest.mark.parametrize("secret", [None, "", 5, " secret"])
def test_an_app_secret_that_no_client_can_have_is_rejected(secret: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="app_secret"):
        MockTikTokShop(app_secret=secret)
    mock = MockTikTokShop()
    with pytest.raises(InvalidArgumentError, match="app_secret"):
        mock.app_secret = secret
    assert mock.app_secret == MockTikTokShop().app_secret


def test_only_functions_can_be_decorated() -> None:
    """The tests of a class would vanish; a block around a generator ends before it runs."""

    class TestOrders:
        pass

    def fixture(mock: MockTikTokShop) -> Iterator[MockTikTokShop]:
        yield mock

    async def async_fixture(mock: MockTikTokShop) -> AsyncIterator[MockTikTokShop]:
        yield mock

    for decorated in (TestOrders, fixture, async_fixture, "test", None):
        with pytest.raises(TypeError, match="with MockTikTokShop"):
            MockTikTokShop()(decorated)  # type: ignore[arg-type]
