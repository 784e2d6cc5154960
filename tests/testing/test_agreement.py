"""Agreement of sandbox and mock: the same call returns the same result or error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import httpx
import pytest
from sandbox.test_every_endpoint import MADE_UP, new_market, use_the_token_for, valid_arguments
from sandbox.valid_calls import VALID_CALLS
from support import APP_KEY, APP_SECRET, CATEGORY_ASSET_CIPHER, SHOP_CIPHER
from test_every_operation import ENDPOINTS, OPERATIONS, arguments, method

from tiktok_shop_async import (
    APIResponse,
    AsyncTikTokShop,
    InvalidArgumentError,
    RequestOptions,
    TikTokAPIError,
)
from tiktok_shop_async.sandbox import Sandbox, create_app
from tiktok_shop_async.sandbox.handlers.operation_handlers import HANDLERS
from tiktok_shop_async.testing import MockTikTokShop, UnexpectedRequestError, example_response, make
from tiktok_shop_async.testing.sandboxes import create_sandbox

PLAYED = [(name, version) for name, version in ENDPOINTS if name in HANDLERS]
CANCELLATIONS = "/return_refund/202602/cancellations"
SHOPS = "/authorization/202309/shops"

Result = APIResponse[Any]


CREDENTIALS: dict[str, Any] = {
    "app_key": APP_KEY,
    "app_secret": APP_SECRET,
    "shop_cipher": SHOP_CIPHER,
    "category_asset_cipher": CATEGORY_ASSET_CIPHER,
}


@pytest.fixture(scope="module")
def stub_sandbox() -> httpx.ASGITransport:
    """A sandbox without state: all its responses are stubs."""
    return httpx.ASGITransport(create_app(market=new_market()))


@pytest.fixture
def shop() -> Sandbox:
    return create_sandbox()


async def called(client: AsyncTikTokShop, name: str, version: str, given: Any) -> Result:
    options = RequestOptions(api_version=version)
    result: Result = await method(client, name)(**given, options=options)
    return result


async def mocked(
    name: str, version: str, given: Any, *responses: Any, **options: Any
) -> list[Result]:
    """Return the results of calls to which a mock responds with each of ``responses``."""
    mock = MockTikTokShop()
    mocked = method(mock, name)
    results = []
    async with mock.client() as client:
        for response in responses:
            mocked.respond(response, **options)
            results.append(await called(client, name, version, given))
            assert mocked.calls[-1].version == version
            mocked.assert_called_with(**given)
    return results


def facts(result: object) -> dict[str, Any]:
    """Return the content of a response or error, without the raw body and headers."""
    found = attrs.asdict(result, recurse=False) if isinstance(result, APIResponse) else vars(result)
    return {name: value for name, value in found.items() if name not in ("headers", "raw")}


def fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each field of a response with the type of its value."""
    yield path, type(value).__name__
    if isinstance(value, dict):
        for name, child in value.items():
            yield from fields(child, f"{path}.{name}")
    elif isinstance(value, list):
        for child in value:
            yield from fields(child, f"{path}[]")


@pytest.mark.parametrize(("name", "version"), MADE_UP, ids=str)
async def test_the_mock_returns_the_stub_responses_of_the_sandbox(
    name: str, version: str, stub_sandbox: httpx.ASGITransport
) -> None:
    """With given data, or with an example that has the same fields of the same version."""
    given = valid_arguments(name, version)
    async with AsyncTikTokShop(**CREDENTIALS, transport=stub_sandbox) as client:
        use_the_token_for(name, client)
        real = await called(client, name, version, given)
    data = real.json()["data"]
    results = await mocked(name, version, given, data, real.data, request_id=real.request_id)
    assert [facts(each) for each in results] == [facts(real)] * 2

    [example] = await mocked(name, version, given, None)
    assert type(example.data) is type(real.data)
    assert example.issues == real.issues == ()
    has = set(fields(data))
    assert set(fields(example.json()["data"])) == has
    assert set(fields(example_response(name, version=version)["data"])) == has

    full = make(type(real.data))
    [made] = await mocked(name, version, given, full)
    assert (made.data, made.issues) == (full, ())


@pytest.mark.parametrize(("name", "version"), PLAYED, ids=str)
async def test_the_mock_returns_the_responses_of_the_sandbox(
    name: str, version: str, shop: Sandbox
) -> None:
    given = VALID_CALLS[name](shop.shop, version)
    async with shop.client() as client:
        real = await called(client, name, version, given)
    data = real.json()["data"]
    results = await mocked(name, version, given, data, real.data, request_id=real.request_id)
    assert [facts(each) for each in results] == [facts(real)] * 2

    full = make(type(real.data))
    example, made = await mocked(name, version, given, None, full)
    assert (made.data, made.issues) == (full, ())
    assert type(example.data) is type(real.data)
    assert set(fields(data)) <= set(fields(example.json()["data"]))


# Stub responses do not depend on the arguments, so only these operations reject unknown ids.
LOOKED_UP = [
    "fulfillment.get_package_detail",
    "fulfillment.ship_package",
    "product.get_product",
    "product.update_inventory",
    "product.update_price",
    "product.upload_product_image",
    "return_refund.approve_cancellation",
    "return_refund.cancel_order",
    "return_refund.get_return_records",
    "return_refund.get_reject_reasons",
]


@pytest.mark.parametrize("name", LOOKED_UP)
async def test_the_mock_returns_the_errors_of_the_sandbox(name: str, shop: Sandbox) -> None:
    version = OPERATIONS[name]["versions"][-1]
    given = arguments(OPERATIONS[name], version)  # which this shop does not have
    with pytest.raises(TikTokAPIError) as real:
        async with shop.client() as client:
            await called(client, name, version, given)
    mock = MockTikTokShop()
    error = real.value
    method(mock, name).fail(
        error.code, error.message, http_status=error.http_status, request_id=error.request_id
    )
    with pytest.raises(TikTokAPIError) as replayed:
        async with mock.client() as client:
            await called(client, name, version, given)
    assert replayed.type is real.type
    assert facts(replayed.value) == facts(real.value)


@pytest.mark.parametrize(
    ("path", "given", "client", "code"),
    [
        pytest.param(CANCELLATIONS, {"cipher": "none"}, {}, 106013, id="no cipher"),
        pytest.param(SHOPS, {"cipher": "shop_cipher"}, {}, 36009004, id="unwanted cipher"),
        pytest.param(CANCELLATIONS, {}, {"app_secret": "another"}, 106001, id="signature"),
        pytest.param(
            CANCELLATIONS, {"cipher": "none"}, {"app_secret": "another"}, 106001, id="two faults"
        ),
    ],
)
async def test_an_invalid_request_is_rejected_with_the_same_code(
    path: str, given: dict[str, Any], client: dict[str, Any], code: int, shop: Sandbox
) -> None:
    """By the mock as a failure of the test, since only the code under test can be at fault."""
    verb = "GET" if path == SHOPS else "POST"
    if verb == "POST":
        given = {"body": {"order_id": "1", "cancel_reason": "x"}, **given}
    with pytest.raises(TikTokAPIError) as real:
        async with shop.client(**client) as wrong:
            await wrong.request(verb, path, **given)
    assert real.value.code == code

    mock = MockTikTokShop()
    mock.return_refund.cancel_order.respond()
    mock.authorization.get_authorized_shops.respond()
    with pytest.raises(UnexpectedRequestError, match=str(code)) as unexpected:
        async with mock.client(**client) as wrong:
            await wrong.request(verb, path, **given)
    assert unexpected.value.code == code


@pytest.mark.parametrize("name", ["cancel_order", "approve_return"])
async def test_a_call_that_the_client_rejects_reaches_neither(name: str, shop: Sandbox) -> None:
    mock = MockTikTokShop()
    said = []
    for make_client in (shop.client, mock.client):
        async with make_client() as client:
            for given in ({}, {"order_id": "1"}, {"return_id": "1", "cancel_reason": 1}):
                with pytest.raises((TypeError, InvalidArgumentError)) as refused:
                    await getattr(client.return_refund, name)(**given)
                said.append((refused.type, str(refused.value)))
    assert said[: len(said) // 2] == said[len(said) // 2 :]
    assert not list(shop.requests)


@pytest.mark.parametrize("argument", ["order_line_item_ids", "skus", "order_line_list"])
async def test_an_empty_selection_is_rejected_by_the_client_and_by_the_sandbox(
    argument: str, shop: Sandbox
) -> None:
    """The sandbox also rejects it from other clients, which do not check it."""
    order = next(iter(shop.shop.orders.values()))
    given = {"order_id": order.id, "cancel_reason": "x", argument: []}
    async with shop.client() as client:
        with pytest.raises(InvalidArgumentError, match=f"{argument} must not be empty"):
            await client.return_refund.cancel_order(**given)
        assert not list(shop.requests)
        with pytest.raises(TikTokAPIError, match=f"{argument} must not be empty") as refused:
            await client.request("POST", CANCELLATIONS, body=given)
    assert refused.value.code == 36009004
    assert not order.cancellations
