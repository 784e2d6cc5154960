"""Each of the 537 endpoints answers a call of the SDK, and its lists really page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support import ACCESS_TOKEN, APP_KEY, APP_SECRET, CATEGORY_ASSET_CIPHER, SHOP_CIPHER
from test_every_operation import ENDPOINTS, OPERATIONS, arguments, method

from tiktok_shop_async import AsyncTikTokShop, InvalidRequestError, RequestOptions
from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_SHOP_CIPHER,
    AccessToken,
    App,
    Market,
    Shop,
    UserType,
    create_app,
)
from tiktok_shop_async.sandbox.handlers.operation_handlers import HANDLERS

MADE_UP = [(name, version) for name, version in ENDPOINTS if name not in HANDLERS]
TOKENS = {kind: f"{ACCESS_TOKEN}-{kind.name}" for kind in UserType}


def new_market() -> Market:
    shop = Shop(id="7", name="Any", cipher=SHOP_CIPHER, clock=lambda: 0.0)
    tokens = [
        AccessToken(
            value=value,
            app_key=APP_KEY,
            user_type=kind,
            shop_ciphers=frozenset({SHOP_CIPHER}),
        )
        for kind, value in TOKENS.items()
    ]
    return Market([App(APP_KEY, APP_SECRET)], tokens, [shop])


@pytest.fixture
async def client() -> AsyncIterator[AsyncTikTokShop]:
    transport = httpx.ASGITransport(create_app(market=new_market()))
    async with AsyncTikTokShop(
        APP_KEY,
        APP_SECRET,
        shop_cipher=SHOP_CIPHER,
        category_asset_cipher=CATEGORY_ASSET_CIPHER,
        transport=transport,
    ) as client:
        yield client


def use_the_token_for(name: str, client: AsyncTikTokShop) -> None:
    group = name.partition(".")[0]
    partners = OPERATIONS[name]["auth"]["category_asset_cipher"] or name.endswith("category_assets")
    kinds = {"affiliate_creator": UserType.CREATOR, "affiliate_partner": UserType.PARTNER}
    kind = UserType.PARTNER if partners else kinds.get(group, UserType.SELLER)
    client.auth.access_token = TOKENS[kind]


def valid_arguments(name: str, version: str) -> dict[str, Any]:
    given = arguments(OPERATIONS[name], version)
    given.pop("page_token", None)  # the catalogue's is none that a page here gave
    if "page_size" in given:
        given["page_size"] = 10
    return given


@pytest.mark.parametrize(("name", "version"), MADE_UP, ids=lambda value: value)
async def test_an_endpoint_answers_in_full(
    name: str, version: str, client: AsyncTikTokShop
) -> None:
    use_the_token_for(name, client)
    given = valid_arguments(name, version)
    response = await method(client, name)(**given, options=RequestOptions(api_version=version))
    assert response.issues == ()
    assert response.data is not None


async def test_equal_calls_get_equal_answers_and_others_do_not(client: AsyncTikTokShop) -> None:
    use_the_token_for("product.get_product_skpp_detail", client)
    first, again, other = [
        (await client.product.get_product_skpp_detail(product_id=product_id)).data
        for product_id in ("1729", "1729", "1730")
    ]
    assert first == again != other


async def test_a_seed_decides_what_is_made_up() -> None:
    """Equal ones give equal answers, also of two sandboxes."""
    answers = []
    for seed in (1, 1, 2):
        async with AsyncTikTokShop(
            DEMO_APP_KEY,
            DEMO_APP_SECRET,
            access_token=DEMO_ACCESS_TOKEN,
            shop_cipher=DEMO_SHOP_CIPHER,
            transport=httpx.ASGITransport(create_app(orders=0, seed=seed)),
        ) as client:
            answers.append((await client.logistics.get_warehouse_list()).data)
    assert answers[0] == answers[1] != answers[2]


async def test_a_made_up_list_ends_after_all_its_pages(client: AsyncTikTokShop) -> None:
    use_the_token_for("finance.get_statements", client)
    pager = client.finance.get_statements(page_size=10, sort_field="statement_time")
    pages = [page async for page in pager.pages()]
    ids = [statement.id for page in pages for statement in page.data.statements]
    assert [len(page.data.statements) for page in pages] == [10, 10, 5]
    assert len(set(ids)) == len(ids) == 25


async def test_a_page_token_that_no_page_gave_is_refused(client: AsyncTikTokShop) -> None:
    use_the_token_for("finance.get_statements", client)
    with pytest.raises(InvalidRequestError, match="page_token"):
        await client.finance.get_statements(
            page_size=10, sort_field="statement_time", page_token="nonsense"
        )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"order_id": 5}, "order_id must be a string"),
        ({"skus": "none"}, "skus must be a list"),
        ({"skus": [{"sku_id": "1", "quantity": "2"}]}, r"skus\[0\].quantity must be an integer"),
        ({"skus": [{"sku_id": "1", "quantity": True}]}, r"skus\[0\].quantity must be an integer"),
        ({"skus": [{"sku_id": "1", "quantitty": 2}]}, r"skus\[0\].quantitty is unknown"),
        ({"skus": [{"quantity": 2}]}, r"skus\[0\].sku_id is required"),
        ({"skus": [7]}, r"skus\[0\] must be an object"),
        ({"skus": [None]}, r"skus\[0\] must be an object"),
        ({"order_line_item_ids": [None]}, r"order_line_item_ids\[0\] must be a string"),
        ({"cancel_reason": None}, "cancel_reason is required"),
        ({"reason": "x"}, "reason is unknown"),
    ],
)
async def test_a_typing_mistake_in_a_body_is_named(
    body: dict[str, Any], said: str, client: AsyncTikTokShop
) -> None:
    use_the_token_for("return_refund.cancel_order", client)
    given: dict[str, Any] = {"order_id": "1", "cancel_reason": "x"} | body
    with pytest.raises(InvalidRequestError, match=said):
        await client.request("POST", "/return_refund/202602/cancellations", body=given)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "page_size is required"),
        ({"page_size": "many"}, "page_size must be an integer"),
    ],
)
async def test_a_typing_mistake_in_a_query_is_named(
    query: dict[str, Any], said: str, client: AsyncTikTokShop
) -> None:
    use_the_token_for("order.get_order_list", client)
    with pytest.raises(InvalidRequestError, match=said):
        await client.request("POST", "/order/202309/orders/search", query=query, body={})


async def test_fields_of_another_version_are_unknown(client: AsyncTikTokShop) -> None:
    use_the_token_for("return_refund.cancel_order", client)
    with pytest.raises(InvalidRequestError, match="order_line_list is unknown"):
        await client.request(
            "POST",
            "/return_refund/202309/cancellations",
            body={"order_id": "1", "cancel_reason": "x", "order_line_list": []},
        )
