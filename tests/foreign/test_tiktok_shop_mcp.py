"""PyPI's tiktok-shop-mcp 0.3.0, unchanged, over stdio as an MCP client drives it.

Its mistakes by the documents are in test_mistakes, and below where it misreads a response.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from foreign.peers import Outcome, tiktok_shop_mcp

from tiktok_shop_async.sandbox import DEMO_EXPIRED_TOKEN, Sandbox

WEEK = {"start_date_ge": "2026-01-01", "end_date_lt": "2026-01-08"}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": f"{tool}_tool", "arguments": arguments}


@pytest.fixture
def shops_file(shop: Sandbox, tmp_path: Path) -> Path:
    """Its configuration, with one shop."""
    return write_shops(tmp_path / "shops.json", shop)


def write_shops(file: Path, shop: Sandbox, **changes: str) -> Path:
    record = {
        "seller_name": "Sandbox Goods",
        "app_key": shop.app_key,
        "app_secret": shop.app_secret,
        "access_token": shop.access_token,
        "refresh_token": shop.refresh_token,
        "shop_id": shop.shop.id,
        "shop_cipher": shop.shop_cipher,
    }
    file.write_text(json.dumps([record | changes]))
    return file


async def answers(shop: Sandbox, shops_file: Path, *calls: Any) -> list[Any]:
    """Return the answers of tools that succeed."""
    outcomes: list[Outcome] = await tiktok_shop_mcp(shop, shops_file, *calls)
    return [outcome["answer"] for outcome in outcomes[1:]]


async def test_all_its_reads_are_admitted(shop: Sandbox, shops_file: Path) -> None:
    order_id = next(iter(shop.shop.orders))
    product = next(iter(shop.shop.stock.products.values()))
    tools, *outcomes = await tiktok_shop_mcp(
        shop,
        shops_file,
        call("list_shops"),
        call("get_shop_orders", sort_field="update_time", sort_order="ASC"),
        call("get_order_detail", order_ids=[order_id]),
        call("search_returns"),
        call("search_cancellations", page_size=50),
        call("get_shop_statements", payment_status="PAID"),
        call("get_shop_transactions", order_id=order_id),
        call("get_shop_products", status="ACTIVATE"),
        call("get_product_detail", product_id=product.id),
        call("get_shop_performance", **WEEK, granularity="1D"),
        call("get_shop_performance_hourly", date="2026-01-01"),
        call("get_shop_products_performance", **WEEK, product_status_filter="LIVE"),
        call("get_product_performance", product_id=product.id, **WEEK),
        call("get_shop_videos_performance", **WEEK),
        call("get_sku_performance", sku_id=next(iter(product.skus)), **WEEK),
        call(
            "get_customer_service_performance",
            support_date_ge="2026-01-01",
            support_date_lt="2026-01-08",
        ),
        call("get_account_video_gmv", **WEEK),
        call("get_videos_bestselling", date="2026-01-01"),
        call("get_creators_bestselling", date="2026-01-01", time_slot="30D"),
        call("get_products_bestselling", date="2026-01-01", category_id="1"),
    )
    assert len(tools["answer"]) == len(outcomes) + 2  # those that refresh
    assert [outcome["answer"]["success"] for outcome in outcomes] == [True] * len(outcomes)
    assert {entry.code for entry in shop.requests} == {0}
    assert all(("access_token", "***") in entry.query for entry in shop.requests)
    assert len({entry.operation for entry in shop.requests}) == len(outcomes) - 2


async def test_it_finds_what_is_in_the_shop(
    shop: Sandbox, shops_file: Path, waiting: list[str]
) -> None:
    shop.shop.cancel(waiting[0], "seller_cancel_reason_out_of_stock")
    product = next(iter(shop.shop.stock.products.values()))
    searched, details, cancelled, found = await answers(
        shop,
        shops_file,
        call(
            "get_shop_orders",
            order_status="AWAITING_SHIPMENT",
            page_size=50,
            create_time_ge=0,
            create_time_lt=int(shop.clock()) + 1,
        ),
        call("get_order_detail", order_ids=waiting[:3]),
        call("search_cancellations", page_size=50),
        call("get_product_detail", product_id=product.id),
    )
    assert searched["total_count"] == len(waiting) - 1
    assert {order["order_id"] for order in searched["orders"]} <= set(waiting)
    assert [order["order_id"] for order in details["orders"]] == waiting[:3]
    assert waiting[0] in {each["order_id"] for each in cancelled["cancellations"]}
    assert found["title"] == product.title
    assert {sku["sku_id"] for sku in found["skus"]} == set(product.skus)


async def test_it_walks_pages_whose_tokens_need_encoding(shop: Sandbox, shops_file: Path) -> None:
    (first,) = await answers(shop, shops_file, call("get_shop_orders", page_size=40))
    token = first["next_page_token"]
    assert "=" in token
    (second,) = await answers(
        shop, shops_file, call("get_shop_orders", page_size=40, next_page_token=token)
    )
    ids = [{order["order_id"] for order in page["orders"]} for page in (first, second)]
    assert (len(ids[0]), len(ids[1]), len(ids[0] | ids[1])) == (40, 40, 80)


async def test_it_refreshes_an_expired_token_once(shop: Sandbox, tmp_path: Path) -> None:
    file = write_shops(tmp_path / "shops.json", shop, access_token=DEMO_EXPIRED_TOKEN)
    first, second = await answers(shop, file, call("get_shop_orders"), call("get_shop_products"))
    assert (first["count"], second["success"]) == (20, True)
    assert [entry.code for entry in shop.requests] == [105002, 0, 0]
    assert shop.market.refreshes == 1
    assert json.loads(file.read_text())[0]["access_token"] in shop.market.tokens


async def test_it_refreshes_when_it_is_told_to(shop: Sandbox, shops_file: Path) -> None:
    one, every = await answers(shop, shops_file, call("refresh_token"), call("refresh_all_tokens"))
    assert one["access_token_prefix"] == "SANDBOX_..."
    assert (every["refreshed"], every["failed"]) == (1, 0)
    assert shop.market.refreshes == 2


async def test_it_takes_the_time_of_expiry_for_a_duration(shop: Sandbox, shops_file: Path) -> None:
    """``access_token_expire_in`` is Unix seconds (page generate-test-access-token)."""
    refreshed, listed = await answers(shop, shops_file, call("refresh_token"), call("list_shops"))
    week_from_now = shop.clock() + 7 * 86400
    assert abs(refreshed["expire_in"] - week_from_now) < 600
    assert listed["shops"][0]["token_expires"] > "2080"


async def test_it_reads_fields_that_responses_do_not_have(shop: Sandbox, shops_file: Path) -> None:
    """An order's status is ``status``, amounts of statements end in ``_amount`` (catalogue)."""
    orders, statements = await answers(
        shop, shops_file, call("get_shop_orders"), call("get_shop_statements")
    )
    assert {order["status"] for order in orders["orders"]} == {None}
    assert {statement["revenue"] for statement in statements["statements"]} == {None}
