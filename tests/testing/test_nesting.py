"""The mock beside other routers of respx: in any order, nested, and with synchronous httpx."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import permutations
from typing import Any

import httpx
import pytest
import respx
from respx.models import AllMockedAssertionError

from tiktok_shop_async import (
    APIResponse,
    AsyncTikTokShop,
    RequestOptions,
    TikTokAPIError,
    TikTokShopOAuth,
)
from tiktok_shop_async.models.return_refund import CancelOrderResult
from tiktok_shop_async.testing import MockCall, MockTikTokShop, UnexpectedRequestError

pytest_plugins = ["pytester"]

SERVICE = "https://open-api.tiktokglobalshop.com"
CANCELLATIONS = f"{SERVICE}/return_refund/202602/cancellations"
STOCK = "https://stock.example/7"


SECRET = "secret"


def shop(secret: str = SECRET, **options: Any) -> AsyncTikTokShop:
    return AsyncTikTokShop("key", secret, access_token="token", shop_cipher="cipher", **options)


def mocked_shop(**options: Any) -> MockTikTokShop:
    return MockTikTokShop(**{"app_secret": SECRET, **options})


async def cancel(client: AsyncTikTokShop, order_id: str = "1") -> APIResponse[CancelOrderResult]:
    options = RequestOptions(max_retries=0)
    return await client.return_refund.cancel_order(
        order_id=order_id, cancel_reason="x", options=options
    )


async def cancel_id(secret: str = SECRET, **options: Any) -> str | None:
    async with shop(secret, **options) as client:
        return (await cancel(client)).data.cancel_id


class Get:
    """GET of a URL with httpx, asynchronously or not."""

    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async

    async def __call__(self, url: str) -> httpx.Response:
        if self._is_async:
            async with httpx.AsyncClient() as http:
                return await http.get(url)
        with httpx.Client() as http:
            return http.get(url)


@pytest.fixture(params=[True, False], ids=["async", "sync"])
def get(request: pytest.FixtureRequest) -> Get:
    return Get(is_async=request.param)


@contextlib.contextmanager
def entered(*routers: contextlib.AbstractContextManager[Any]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for router in routers:
            stack.enter_context(router)
        yield


# Beside routers of respx.


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_each_request_goes_to_the_router_that_mocks_it(
    order: tuple[int, ...], get: Get
) -> None:
    """In whatever order the routers are started."""
    kit, stock, mail = mocked_shop(), respx.mock(), respx.mock(base_url="https://mail.example")
    routers = [kit, stock, mail]
    with entered(*(routers[index] for index in order)):
        kit.return_refund.cancel_order.respond({"cancel_id": "4"})
        kit.router.get("https://kit.example/").respond(json="kit")
        stock.get(STOCK).respond(json="stock")
        mail.get("/send").respond(json="mail")
        assert await cancel_id() == "4"
        assert (await get(STOCK)).json() == "stock"
        assert (await get("https://mail.example/send")).json() == "mail"
        assert (await get("https://kit.example/")).json() == "kit"
        with pytest.raises(AllMockedAssertionError, match="not mocked"):
            await get("https://nobody.example/")


FIXTURES = """
import httpx
import pytest
import respx
from tiktok_shop_async import AsyncTikTokShop

STOCK = "https://stock.example/7"


async def use(kit, router):
    kit.return_refund.cancel_order.respond({"cancel_id": "4"})
    router.get(STOCK).respond(json=3)
    async with AsyncTikTokShop(
        "key", kit.app_secret, access_token="token", shop_cipher="cipher"
    ) as client:
        response = await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    assert response.data.cancel_id == "4"
    async with httpx.AsyncClient() as http:
        assert (await http.get(STOCK)).json() == 3
    with httpx.Client() as http:
        assert http.get(STOCK).json() == 3


@pytest.mark.asyncio
async def test_shop_first(mock_tiktok_shop, respx_mock):
    await use(mock_tiktok_shop, respx_mock)


@pytest.mark.asyncio
async def test_shop_last(respx_mock, mock_tiktok_shop):
    await use(mock_tiktok_shop, respx_mock)


@pytest.mark.asyncio
@pytest.mark.respx(base_url="https://stock.example")
async def test_marked(respx_mock, mock_tiktok_shop):
    await use(mock_tiktok_shop, respx_mock)


@respx.mock
@pytest.mark.asyncio
async def test_decorated(mock_tiktok_shop):
    await use(mock_tiktok_shop, respx.mock)


@pytest.mark.asyncio
@respx.mock()
async def test_decorated_locally(respx_mock, mock_tiktok_shop):
    await use(mock_tiktok_shop, respx_mock)


@pytest.mark.asyncio
@pytest.mark.respx(assert_all_called=True)
async def test_an_idle_route_of_the_other_router_fails(mock_tiktok_shop, respx_mock):
    respx_mock.get(STOCK).respond(json=3)


@pytest.mark.asyncio
async def test_an_idle_route_of_the_shops_router_fails(mock_tiktok_shop, respx_mock):
    mock_tiktok_shop.router.get(STOCK).respond(json=3)
"""


def test_fixtures_and_decorators_work_in_any_order(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error"
    )
    pytester.makepyfile(FIXTURES)
    result = pytester.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=7, errors=2)
    result.stdout.fnmatch_lines(["*some routes were not called*", "*never called: <Route*stock*"])


@pytest.mark.parametrize("shop_first", [True, False])
async def test_other_routers_handle_an_operation_that_is_not_mocked(shop_first: bool) -> None:
    kit, other = mocked_shop(), respx.mock()
    with entered(*((kit, other) if shop_first else (other, kit))):
        route = other.post(CANCELLATIONS).respond(json={"code": 0, "data": {"cancel_id": "7"}})
        assert await cancel_id() == "7"
        assert route.call_count == 1


@pytest.mark.parametrize("shop_first", [True, False])
async def test_a_mocked_operation_goes_before_any_route(shop_first: bool) -> None:
    kit, other = mocked_shop(), respx.mock(assert_all_called=False)
    with entered(*((kit, other) if shop_first else (other, kit))):
        other.route().respond(500)
        kit.return_refund.cancel_order.respond({"cancel_id": "4"})
        assert await cancel_id() == "4"


@pytest.mark.parametrize("shop_first", [True, False])
async def test_the_same_path_of_another_host_is_not_the_shops(shop_first: bool, get: Get) -> None:
    kit, other = mocked_shop(assert_all_called=False), respx.mock()
    with entered(*((kit, other) if shop_first else (other, kit))):
        kit.order.get_order_detail.respond()
        other.get("https://erp.example/order/202507/orders").respond(json="erp")
        assert (await get("https://erp.example/order/202507/orders?ids=1")).json() == "erp"
    assert not kit.order.get_order_detail.called


@pytest.mark.parametrize("shop_first", [True, False])
async def test_a_router_that_handles_everything_does_so_as_in_respx(
    shop_first: bool, get: Get
) -> None:
    """``assert_all_mocked=False`` of any router decides, for operations too."""
    kit, other = mocked_shop(), respx.mock(assert_all_mocked=False)
    with entered(*((kit, other) if shop_first else (other, kit))):
        kit.return_refund.cancel_order.respond({"cancel_id": "4"})
        assert await cancel_id() == "4"
        assert (await get(STOCK)).content == b""
        assert (await get(f"{SERVICE}/order/202309/orders")).content == b""


@pytest.mark.parametrize("shop_first", [True, False])
async def test_an_operation_that_no_router_mocks_fails_the_block(shop_first: bool) -> None:
    async def block() -> None:
        kit, other = mocked_shop(), respx.mock()
        with (
            entered(*((kit, other) if shop_first else (other, kit))),
            pytest.raises(UnexpectedRequestError, match="cancel_order was called, but is not"),
        ):
            await cancel_id()

    with pytest.raises(UnexpectedRequestError, match=r"mock\.return_refund\.cancel_order"):
        await block()


async def test_the_error_shows_no_query(get: Get) -> None:
    with pytest.raises(UnexpectedRequestError) as caught, mocked_shop():
        await get(f"{SERVICE}/nowhere?app_secret=of-mine&sign=of-mine")
    assert "of-mine" not in str(caught.value)


@pytest.mark.parametrize("shop_first", [True, False])
async def test_authorization_is_another_service(shop_first: bool) -> None:
    kit, other = mocked_shop(), respx.mock()
    with entered(*((kit, other) if shop_first else (other, kit))):
        route = other.get(host="auth.tiktok-shops.com").respond(json={"code": 36004004})
        async with TikTokShopOAuth("key", SECRET) as oauth:
            with pytest.raises(TikTokAPIError):
                await oauth.exchange("code")
        assert route.call_count == 1


async def test_routes_that_pass_through_reach_the_network(get: Get) -> None:
    with served() as url:
        for routes_of_kit in (True, False):
            kit, other = mocked_shop(), respx.mock()
            with entered(kit, other):
                router = kit.router if routes_of_kit else other
                router.route(host="127.0.0.1").pass_through()
                assert (await get(url)).text == "real"


async def test_a_client_on_a_transport_cannot_pass_through() -> None:
    kit = mocked_shop()
    kit.router.get(STOCK).pass_through()
    async with httpx.AsyncClient(transport=kit.transport) as http:
        with pytest.raises(UnexpectedRequestError, match="use the mock as a context manager"):
            await http.get(STOCK)


@contextlib.contextmanager
def served() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"real")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


# Two shops.


@pytest.mark.parametrize("inner_mocks", [True, False])
async def test_the_inner_shop_goes_first(inner_mocks: bool) -> None:
    with mocked_shop(assert_all_called=False) as outer:
        outer.return_refund.cancel_order.respond({"cancel_id": "outer"})
        with mocked_shop() as inner:
            if inner_mocks:
                inner.return_refund.cancel_order.respond({"cancel_id": "inner"})
            assert await cancel_id() == ("inner" if inner_mocks else "outer")
            assert inner.return_refund.cancel_order.called is inner_mocks
            assert outer.return_refund.cancel_order.called is not inner_mocks
        assert await cancel_id() == "outer"


async def test_shops_that_overlap_end_in_any_order() -> None:
    first, second = mocked_shop(assert_all_called=False), mocked_shop(assert_all_called=False)
    first.return_refund.cancel_order.respond({"cancel_id": "first"})
    second.return_refund.cancel_order.respond({"cancel_id": "second"})
    first.__enter__()
    second.__enter__()
    assert await cancel_id() == "second"
    first.__exit__(None, None, None)
    assert await cancel_id() == "second"
    second.__exit__(None, None, None)


@pytest.mark.parametrize("a_first", [True, False])
async def test_shops_of_two_apps_are_distinguished_by_the_signature(a_first: bool) -> None:
    a, b = mocked_shop(app_secret="a"), mocked_shop(app_secret="b")
    with entered(*((a, b) if a_first else (b, a))):
        a.return_refund.cancel_order.respond({"cancel_id": "of a"})
        b.return_refund.cancel_order.respond({"cancel_id": "of b"})
        assert await asyncio.gather(cancel_id("a"), cancel_id("b")) == ["of a", "of b"]
        assert (
            a.return_refund.cancel_order.call_count,
            b.return_refund.cancel_order.call_count,
        ) == (1, 1)


async def test_a_signature_of_no_shop_fails_and_goes_to_no_other_router() -> None:
    kit = mocked_shop()
    kit.return_refund.cancel_order.respond({"cancel_id": "4"})
    with (
        pytest.raises(UnexpectedRequestError, match="signature is wrong"),
        respx.mock(assert_all_mocked=False),
        kit,
    ):
        await cancel_id("another")
    assert kit.return_refund.cancel_order.call_count == 1


@pytest.mark.parametrize("a_first", [True, False])
async def test_shops_of_two_addresses_are_distinguished(a_first: bool) -> None:
    a = mocked_shop(base_url="https://a.example")
    b = mocked_shop(base_url="https://b.example:8443/shop/")
    with entered(*((a, b) if a_first else (b, a))):
        a.return_refund.cancel_order.respond({"cancel_id": "of a"})
        b.return_refund.cancel_order.respond({"cancel_id": "of b"})
        assert await cancel_id(base_url="https://a.example") == "of a"
        assert await cancel_id(base_url="https://b.example:8443/shop") == "of b"
        for elsewhere in (SERVICE, "http://a.example", "https://b.example:8443/shops"):
            with pytest.raises(AllMockedAssertionError):
                await cancel_id(base_url=elsewhere)
    async with a.client() as client:
        assert (await cancel(client)).data.cancel_id == "of a"


@pytest.mark.parametrize("a_first", [True, False])
async def test_the_error_is_that_of_the_shop_at_the_address(a_first: bool) -> None:
    a, b = mocked_shop(base_url="https://a.example"), mocked_shop(base_url="https://b.example")
    with (
        pytest.raises(UnexpectedRequestError, match="cancel_order was called, but is not mocked"),
        entered(*((a, b) if a_first else (b, a))),
    ):
        await cancel_id(base_url="https://a.example")
    with pytest.raises(UnexpectedRequestError):
        a.assert_all_mocked()
    b.assert_all_mocked()


async def test_a_client_of_the_sdk_reaches_the_shop_at_any_address() -> None:
    with mocked_shop() as kit:
        kit.return_refund.cancel_order.respond({"cancel_id": "4"})
        assert await cancel_id(base_url="http://localhost:8000") == "4"


@pytest.mark.parametrize("base_url", ["https://proxy.example/tts", "https://a.example/order/b/"])
@pytest.mark.parametrize("patched", [True, False], ids=["block", "transport"])
async def test_a_client_of_the_sdk_reaches_the_shop_below_any_path(
    base_url: str, patched: bool
) -> None:
    with mocked_shop(patch_httpx=patched) as kit:
        transport = {} if patched else {"transport": kit.transport}
        kit.return_refund.cancel_order.respond({"cancel_id": "4"})
        kit.order.get_order_detail.respond({"orders": []})
        assert await cancel_id(base_url=base_url, **transport) == "4"
        async with shop(base_url=base_url, **transport) as client:
            await client.order.get_order_detail(ids=["1"])
        kit.order.get_order_detail.assert_called_once_with(ids=["1"])
        assert kit.order.get_order_detail.calls[0].version == "202507"


def test_only_clients_of_the_sdk_have_a_base_path() -> None:
    kit = mocked_shop()
    kit.order.get_order_detail.respond()
    with pytest.raises(UnexpectedRequestError, match="not an operation"), kit:
        httpx.get(f"{SERVICE}/tts/order/202507/orders?ids=1")


# Synchronous httpx.


def test_a_synchronous_client_reaches_operations() -> None:
    url = f"{SERVICE}/order/202507/orders?ids=1,2"
    with MockTikTokShop(check_requests=False) as kit:
        kit.order.get_order_detail.respond({"orders": [{"id": "1"}]})
        with httpx.Client() as http:
            assert http.get(url).json()["data"] == {"orders": [{"id": "1"}]}
        with httpx.Client(transport=kit.transport) as http:
            assert http.get(url).json()["data"] == {"orders": [{"id": "1"}]}
        assert kit.order.get_order_detail.calls[0].arguments == {"ids": ["1", "2"]}
        assert kit.order.get_order_detail.call_count == 2


def test_a_synchronous_client_reaches_routes_of_the_router_on_a_transport() -> None:
    kit = MockTikTokShop()
    kit.router.get(STOCK).respond(json=3)
    with httpx.Client(transport=kit.transport) as http:
        assert http.get(STOCK).json() == 3
        with pytest.raises(UnexpectedRequestError, match="not an operation of the API"):
            http.get("https://stock.example/8")


def test_a_coroutine_function_cannot_serve_a_synchronous_client() -> None:
    async def answer(_: MockCall) -> dict[str, Any]:
        return {"orders": []}

    with MockTikTokShop(check_requests=False) as kit:
        kit.order.get_order_detail.side_effect = answer
        with httpx.Client() as http, pytest.raises(TypeError, match="is a coroutine function"):
            http.get(f"{SERVICE}/order/202507/orders?ids=1")


# A block, again and again.


async def test_each_block_starts_anew() -> None:
    kit = mocked_shop()
    mocked = kit.return_refund.cancel_order.respond({"cancel_id": "4"})
    for _ in range(2):
        with kit:
            assert not mocked.called
            assert await cancel_id() == "4"
            mocked.assert_called_once_with(order_id="1", cancel_reason="x")
        mocked.assert_called_once()  # calls can be looked at until the next block


async def test_what_is_mocked_in_a_block_ends_with_it(get: Get) -> None:
    kit = mocked_shop()
    mocked = kit.return_refund.cancel_order
    mocked.side_effect = [{"cancel_id": "before"}]
    with kit:
        mocked.respond({"cancel_id": "within"})
        kit.order.get_order_detail.side_effect = [{"orders": []}]
        kit.router.get(STOCK).respond(json=3)
        assert await cancel_id() == "within"
        async with shop() as client:
            await client.order.get_order_detail(ids=["1"])
        await get(STOCK)
    with kit:
        assert not kit.order.get_order_detail.is_mocked
        assert await cancel_id() == "before"
        with pytest.raises(AllMockedAssertionError):
            await get(STOCK)
    with kit:
        assert await cancel_id() == "before", "lists begin again"


async def test_errors_of_one_block_do_not_fail_the_next() -> None:
    kit = mocked_shop()
    with pytest.raises(UnexpectedRequestError), kit:
        await cancel_id()
    with kit:
        pass


def test_a_block_within_its_own_block_is_an_error() -> None:
    with mocked_shop() as kit:
        kit.order.get_order_detail.respond()
        with pytest.raises(RuntimeError, match="create another MockTikTokShop"), kit:
            pass
        kit.reset()
    with kit:
        pass


async def test_a_decorated_function_that_runs_twice_at_once_is_an_error() -> None:
    running = asyncio.Event()

    @mocked_shop()
    async def test() -> None:
        running.set()
        await asyncio.sleep(0)

    results = await asyncio.gather(test(), test(), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), RuntimeError]


async def test_nothing_is_patched_when_the_block_ends(get: Get) -> None:
    with mocked_shop():
        pass
    with served() as url:
        assert (await get(url)).text == "real"


# For one client.


async def test_a_block_that_patches_nothing_checks_its_own_client(get: Get) -> None:
    async def block(*, call: bool) -> None:
        with MockTikTokShop(patch_httpx=False) as kit, served() as url:
            assert (await get(url)).text == "real"
            kit.order.get_order_detail.respond()
            async with kit.client() as client:
                with contextlib.suppress(AssertionError):
                    await cancel(client)
                if call:
                    await client.order.get_order_detail(ids=["1"])
            if not call:
                kit.reset()
                kit.order.get_order_detail.respond()

    with pytest.raises(UnexpectedRequestError, match=r"cancel_order was called"):
        await block(call=True)
    with pytest.raises(AssertionError, match=r"never called: order\.get_order_detail$"):
        await block(call=False)


async def test_without_a_block_the_checks_can_be_called() -> None:
    kit = MockTikTokShop()
    kit.order.get_order_detail.respond()
    async with kit.client() as client:
        with contextlib.suppress(AssertionError):
            await cancel(client)
    with pytest.raises(UnexpectedRequestError, match=r"cancel_order was called"):
        kit.assert_all_mocked()
    with pytest.raises(AssertionError, match="never called"):
        kit.assert_all_called()
