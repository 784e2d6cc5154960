"""npm's tiktok-shop-client 1.0.23, unchanged: what works with it. Its mistakes: test_mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foreign.peers import Outcome, tiktok_shop_client

from tiktok_shop_async.sandbox import Sandbox
from tiktok_shop_async.sandbox.domain.entities.products import Product


def call(method: str, *arguments: Any, **more: Any) -> dict[str, Any]:
    return {"method": method, "arguments": arguments, **more}


def data(outcome: Outcome) -> Any:
    assert outcome["answer"]["code"] == 0
    return outcome["answer"]["data"]


def first_product(shop: Sandbox) -> Product:
    return next(iter(shop.shop.stock.products.values()))


async def test_it_searches_orders_page_by_page(waiting: list[str], shop: Sandbox) -> None:
    searched, everything = await tiktok_shop_client(
        shop, call("getOrders", {"order_status": "AWAITING_SHIPMENT"}), call("getOrders", {})
    )
    assert {order["id"] for order in data(searched)["orders"]} == set(waiting)
    assert len(data(everything)["orders"]) == 100


async def test_its_reads_of_products_and_warehouses_are_admitted(shop: Sandbox) -> None:
    product = first_product(shop)
    outcomes = await tiktok_shop_client(
        shop,
        call("getProduct", product.id),
        call("searchInventory", {"product_ids": [product.id]}),
        call("getCategories"),
        call("getCategoryAttributes", "600001"),
        call("recommendCategory", {"product_title": "Becher", "description": "Hält warm 保温"}),
        call("getBrands", "Größe 品切れ", "600001"),
        call("getBrands", "Tea Time"),
        call("getWarehouses"),
    )
    found, inventory, *_ = [data(outcome) for outcome in outcomes]
    assert found["id"] == product.id
    assert inventory["inventory"][0]["product_id"] == product.id
    assert [(entry.operation, entry.code) for entry in shop.requests] == [
        ("product.get_product", 0),
        ("product.search_inventory", 0),
        ("product.get_categories", 0),
        ("product.get_category_attributes", 0),
        ("product.recommend_category", 0),
        ("product.get_brands", 0),
        ("product.get_brands", 0),
        ("logistics.get_warehouse_list", 0),
    ]
    assert ("brand_name", "Größe 品切れ") in list(shop.requests)[5].query


async def test_its_writes_take_effect(shop: Sandbox, picture_file: Path) -> None:
    product = first_product(shop)
    sku_id = next(iter(product.skus))
    statuses = []
    for method in ("deactivateProducts", "activateProducts", "deleteProducts", "recoverProducts"):
        (changed,) = await tiktok_shop_client(shop, call(method, [product.id]))
        assert data(changed) == {"errors": []}
        statuses.append(product.status)
    assert statuses == ["SELLER_DEACTIVATED", "ACTIVATE", "DELETED", "SELLER_DEACTIVATED"]

    edited, counted, branded, uploaded = await tiktok_shop_client(
        shop,
        call("partiallyEditProduct", product.id, {"title": "Größe & 品切れ"}),
        call(
            "updateProductInventory", product.id, [{"id": sku_id, "inventory": [{"quantity": 7}]}]
        ),
        call("addCustomBrands", {"name": "Größe & 品切れ"}),
        call("addImage", file=str(picture_file)),
    )
    assert data(edited)["product_id"] == product.id
    assert product.title == "Größe & 品切れ"
    assert data(counted) == {"errors": []}
    assert product.skus[sku_id].quantity == 7
    assert data(branded)["id"]
    assert (data(uploaded)["width"], data(uploaded)["height"]) == (800, 600)


async def test_parameters_beyond_the_documents_are_ignored_and_logged(shop: Sandbox) -> None:
    """It sends token, shop id and version with every call, also those without a value."""
    (found,) = await tiktok_shop_client(shop, call("getWarehouses"))
    assert data(found)["warehouses"]
    (entry,) = shop.requests
    assert [pair for pair in entry.query if pair[0] in ("access_token", "shop_id", "version")] == [
        ("access_token", "***"),
        ("shop_id", ""),
        ("version", "202309"),
    ]
    assert [remark.split(":")[0] for remark in entry.remarks] == [
        "The query parameter access_token is ignored",
        "The query parameter shop_id is ignored",
        "The query parameter version is ignored",
    ]


async def test_it_lists_shops_before_it_has_a_cipher(shop: Sandbox) -> None:
    """It sends an empty one, which counts as missing."""
    listed, active, missing = await tiktok_shop_client(
        shop, call("getShops"), call("getSellerShops"), call("getOrders", {}), cipher=False
    )
    assert data(listed)["shops"][0]["cipher"] == shop.shop_cipher
    assert data(active)["shops"]
    assert missing["code"] == 106013


async def test_it_exchanges_a_code_and_refreshes(shop: Sandbox, authorization_code: str) -> None:
    exchanged, again, refreshed, unknown = await tiktok_shop_client(
        shop,
        call("authCodeToken", authorization_code, exported=True),
        call("authCodeToken", authorization_code, exported=True),
        call("generateToken", shop.refresh_token, exported=True),
        call("generateToken", "unknown", exported=True),
    )
    assert data(exchanged)["access_token"] in shop.market.tokens
    assert again["answer"]["code"] == 36004004
    assert refreshed["answer"]["access_token"] in shop.market.tokens
    assert unknown["answer"]["code"] == 36004005
    assert shop.market.refreshes == 1


async def test_what_it_refuses_itself_is_not_sent(shop: Sandbox) -> None:
    """A dollar is DOLLARS to it, so the currency code of the documents is refused.

    It decodes what it did not encode, and its function to sign a path looks for the secret under
    a name that it refuses.
    """
    sku = {"id": "1", "price": {"amount": "1", "currency": "USD"}}
    outcomes = await tiktok_shop_client(
        shop,
        call("updateProductPrices", "1", {"skus": [sku]}),
        call("getBrands", "50%"),
        call("signature", "/order/202309/orders", exported=True),
    )
    assert ["answer" in outcome for outcome in outcomes] == [False, False, False]
    assert "must be [DOLLARS]" in outcomes[0]["message"]
    assert outcomes[1]["message"] == "URI malformed"
    assert '"key" argument' in outcomes[2]["message"]
    assert not list(shop.requests)
