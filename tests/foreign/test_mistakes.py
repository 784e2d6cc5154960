"""What the foreign clients get wrong by the documents, and how the sandbox refuses it.

Each row: the call, what arrives, what the documents say and where they say it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from foreign.peers import Outcome, npm_client, pypi_client, tiktok_shop_client, tiktok_shop_mcp
from foreign.signed import signed_and_sent
from foreign.test_tiktok_shop_mcp import write_shops

from tiktok_shop_async.sandbox import Sandbox


@attrs.frozen(kw_only=True)
class Mistake:
    """A call that is wrong by the documents."""

    call: Any
    """What the client's driver takes, with ids of the shop in place of PRODUCT, SKU and so on."""
    request: str
    """The method and path that arrive."""
    sends: str
    documents: str
    """What they say, and the page or the operation of the catalogue that says it."""
    code: int = 36009004
    message: str
    cipher: bool = True
    """Whether the client knows its cipher."""


SIGN_PAGE = "page sign-your-api-request: "
IMAGE = {"uri": "sandbox/mug", "width": 800, "height": 600}
PRODUCT_BODY = {
    "title": "Enamel Mug",
    "description": "<p>Keeps warm.</p>",
    "category_id": "600001",
    "main_images": [IMAGE],
    "package_weight": {"unit": "KILOGRAM", "value": "1"},
    "skus": [{"price": {"amount": "12.5", "currency": "DOLLARS"}}],
}

TIKTOK_SHOP_CLIENT = [
    Mistake(
        call={"method": "getShops", "arguments": []},
        request="GET /authorization/202309/shops",
        sends="the shop's cipher, once it knows one",
        documents="authorization.get_authorized_shops has no shop_cipher",
        message="shop_cipher",
    ),
    Mistake(
        call={"method": "getSellerShops", "arguments": []},
        request="GET /seller/202309/shops",
        sends="the shop's cipher, once it knows one",
        documents="seller.get_active_shops has no shop_cipher",
        message="shop_cipher",
    ),
    Mistake(
        call={"method": "getOrders", "arguments": [{}, "MTc5NTgwMTQ0NQ=="]},
        request="POST /order/202309/orders/search",
        sends="a page token as it is, and signs it up to its first =",
        documents=SIGN_PAGE + "every parameter is signed with its whole value",
        code=106001,
        message="signature",
    ),
    Mistake(
        call={"method": "getBrands", "arguments": ["Tea & Co"]},
        request="GET /product/202309/brands",
        sends="an & of a value as it is, and so two parameters",
        documents=SIGN_PAGE + "every parameter is signed with its whole value",
        code=106001,
        message="signature",
    ),
    Mistake(
        call={"method": "getBrands", "arguments": ["A+B"]},
        request="GET /product/202309/brands",
        sends="a + of a value as it is, which arrives as a space",
        documents=SIGN_PAGE + "what is signed is the decoded value",
        code=106001,
        message="signature",
    ),
    Mistake(
        call={"method": "addProduct", "arguments": [PRODUCT_BODY]},
        request="POST /product/202309/products",
        sends="width and height of each image: it accepts none without them",
        documents="product.create_product: an image has a uri alone",
        message="main_images[0].width is unknown",
    ),
    Mistake(
        call={"method": "updateProduct", "arguments": ["PRODUCT", PRODUCT_BODY]},
        request="PUT /product/202309/products/PRODUCT",
        sends="width and height of each image: it accepts none without them",
        documents="product.edit_product: an image has a uri alone",
        message="main_images[0].width is unknown",
    ),
    Mistake(
        call={"method": "partiallyEditProduct", "arguments": ["PRODUCT", {"category_id": "1"}]},
        request="POST /product/202309/products/PRODUCT/partial_edit",
        sends="a category",
        documents="product.partial_edit_product has no category_id",
        message="category_id is unknown",
    ),
    Mistake(
        call={
            "method": "partiallyEditProduct",
            "arguments": ["PRODUCT", {"delivery_option_ids": ["1"]}],
        },
        request="POST /product/202309/products/PRODUCT/partial_edit",
        sends="delivery options",
        documents="product.partial_edit_product has no delivery_option_ids",
        message="delivery_option_ids is unknown",
    ),
    Mistake(
        call={
            "method": "updateProductPrices",
            "arguments": [
                "PRODUCT",
                {"skus": [{"id": "SKU", "price": {"amount": "9", "currency": "DOLLARS"}}]},
            ],
        },
        request="POST /product/202309/products/PRODUCT/prices/update",
        sends="DOLLARS as the currency: it accepts no other",
        documents="product.update_price: a currency is a code such as USD",
        message="skus[0].price.currency must be USD",
    ),
    Mistake(
        call={
            "method": "updateProductPrices",
            "arguments": ["PRODUCT", {"skus": [{"id": "SKU", "sales_attributes": []}]}],
        },
        request="POST /product/202309/products/PRODUCT/prices/update",
        sends="sales attributes of a SKU, whose price it does not require",
        documents="product.update_price: a SKU has an id and prices",
        message="skus[0].sales_attributes is unknown",
    ),
]

TIKTOK_SHOP = [
    Mistake(
        call=("POST", "/order/202309/orders/search?page_size=10&page_token=MTc5NQ%3D%3D", ""),
        request="POST /order/202309/orders/search",
        sends="a page token, signed up to its first =",
        documents=SIGN_PAGE + "every parameter is signed with its whole value",
        code=106001,
        message="signature",
    ),
    Mistake(
        call=("GET", "/product/202309/brands?page_size=10&brand_name=Tea%20%26%20Co", ""),
        request="GET /product/202309/brands",
        sends="a value with a percent-encoded &, signed as two parameters",
        documents=SIGN_PAGE + "every parameter is signed with its whole value",
        code=106001,
        message="signature",
    ),
    Mistake(
        call=("POST", "/order/202309/orders/search?page_size=10", "{}"),
        request="POST /order/202309/orders/search",
        sends="an empty object, which it does not sign",
        documents=SIGN_PAGE + "the body is signed as it is sent",
        code=106001,
        message="signature",
    ),
    Mistake(
        call=("POST", "/order/202309/orders/search?page_size=10", '{"order_status": "UNPAID"}'),
        request="POST /order/202309/orders/search",
        sends="JSON with white space, which it does not sign",
        documents=SIGN_PAGE + "the body is signed as it is sent",
        code=106001,
        message="signature",
    ),
]

TIKTOK_SHOP_MCP = [
    Mistake(
        call={"tool": "get_shop_transactions_tool", "arguments": {"statement_id": "7"}},
        request="GET /finance/202309/statements/7/transactions",
        sends="a path that does not exist",
        documents="finance.get_transactions_by_statement: …/statement_transactions",
        code=36009009,
        message="Invalid path",
    ),
    Mistake(
        call={
            "tool": "get_shop_statements_tool",
            "arguments": {"create_time_ge": 1, "create_time_lt": 2},
        },
        request="GET /finance/202309/statements",
        sends="the time of creation",
        documents="finance.get_statements: statement_time_ge and statement_time_lt",
        message="create_time_ge",
    ),
    Mistake(
        call={"tool": "get_customer_service_performance_tool", "arguments": {}},
        request="GET /customer_service/202407/performance",
        sends="empty dates, which it does not require",
        documents="customer_service.get_customer_service_performance: both dates are required",
        message="support_date_ge is required",
    ),
    Mistake(
        call={"tool": "get_shop_statements_tool", "arguments": {"payment_status": "NOT_PAID"}},
        request="GET /finance/202309/statements",
        sends="NOT_PAID, as its description says",
        documents="finance.get_statements: FAILED, PAID or PROCESSING; but known values are not "
        "checked, since the documents' lists are incomplete",
        code=0,
        message="Success",
    ),
]

TIKTOK_SHOP_SDK = [
    Mistake(
        call={
            "group": "return_refund",
            "method": "searchCancellation",
            "argument": {"body": {}},
        },
        request="POST /return_refund/202309/cancellations/search",
        sends="an empty object, which it does not sign",
        documents=SIGN_PAGE + "the body is signed as it is sent",
        code=106001,
        message="signature",
    ),
    Mistake(
        call={
            "group": "product",
            "method": "uploadProductImage",
            "argument": {"use_case": "MAIN_IMAGE"},
            "file": "PICTURE",
        },
        request="POST /product/202309/images/upload",
        sends="the shop's cipher; it returns the refusal as if it were a response",
        documents="product.upload_product_image has no shop_cipher",
        message="shop_cipher",
    ),
    Mistake(
        call={
            "group": "product",
            "method": "uploadProductImage",
            "argument": {"use_case": "MAIN_IMAGE"},
            "file": "PICTURE",
        },
        request="POST /product/202309/images/upload",
        sends="the name of a stream in place of its form: fetch does not know form-data",
        documents="product.upload_product_image: multipart/form-data",
        code=36009023,
        message="form",
        cipher=False,
    ),
]

TIKTOK_SHOP_API = [
    Mistake(
        call={
            "group": "orders",
            "method": "get_order_detail",
            "model": "",
            "arguments": {"ids": ["1", "2"]},
        },
        request="GET /order/202507/orders",
        sends="ids twice",
        documents="order.get_order_detail: a list in the query is one value joined by commas",
        message="ids is repeated",
    ),
]


async def call_mcp(shop: Sandbox, folder: Path, *calls: Any, cipher: bool) -> list[Outcome]:
    return (await tiktok_shop_mcp(shop, write_shops(folder / "shops.json", shop), *calls))[1:]


async def call_signer(shop: Sandbox, _: Path, *calls: Any, cipher: bool) -> list[Outcome]:
    return [{"answer": await signed_and_sent(shop, *call)} for call in calls]


def without_folder(client: Callable[..., Awaitable[list[Outcome]]]) -> Any:
    async def call(shop: Sandbox, _: Path, *calls: Any, cipher: bool) -> list[Outcome]:
        return await client(shop, *calls, cipher=cipher)

    return call


CLIENTS: dict[str, tuple[Any, list[Mistake]]] = {
    "npm tiktok-shop 2.0.0": (call_signer, TIKTOK_SHOP),
    "npm tiktok-shop-client 1.0.23": (without_folder(tiktok_shop_client), TIKTOK_SHOP_CLIENT),
    "npm tiktok-shop-sdk 1.0.3": (without_folder(npm_client), TIKTOK_SHOP_SDK),
    "PyPI tiktok-shop-api 0.1.0": (without_folder(pypi_client), TIKTOK_SHOP_API),
    "PyPI tiktok-shop-mcp 0.3.0": (call_mcp, TIKTOK_SHOP_MCP),
}


@pytest.mark.parametrize("name", CLIENTS)
async def test_every_mistake_gets_a_readable_refusal(
    name: str, shop: Sandbox, tmp_path: Path, picture: str
) -> None:
    product = next(iter(shop.shop.stock.products.values()))
    values = {"PRODUCT": product.id, "SKU": next(iter(product.skus)), "PICTURE": picture}

    def filled(text: str) -> str:
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        return text

    client, mistakes = CLIENTS[name]
    for cipher in (True, False):
        of_kind = [mistake for mistake in mistakes if mistake.cipher is cipher]
        shop.requests.clear()
        calls = json.loads(filled(json.dumps([mistake.call for mistake in of_kind])))
        outcomes = await client(shop, tmp_path, *calls, cipher=cipher) if calls else []
        arrived = list(shop.requests)
        for mistake, entry, outcome in zip(of_kind, arrived, outcomes, strict=True):
            assert f"{entry.method} {entry.path}" == filled(mistake.request), mistake
            assert entry.code == mistake.code, (mistake, entry)
            assert mistake.message in entry.message, (mistake, entry)
            # The client hands the refusal on, as an error or as a response.
            if mistake.code:
                told = json.dumps(outcome)
                assert str(mistake.code) in told, (mistake, outcome)
                assert mistake.message in told, (mistake, outcome)
