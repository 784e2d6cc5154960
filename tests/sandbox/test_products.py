"""Products, their prices, and a stock that cancellations fill again."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from sandbox.wire import PAID, Wire, new_wire

PRODUCTS = "/product/202309/products"
SEARCH = "/product/202502/products/search"
INVENTORY = "/product/202309/inventory/search"


def quantities(wire: Wire) -> Counter[str]:
    products = wire.shop.stock.products.values()
    return Counter({i: sku.quantity for product in products for i, sku in product.skus.items()})


def sold(wire: Wire) -> Counter[str]:
    orders = wire.shop.orders.values()
    return Counter(ln.sku.id for order in orders for ln in order.lines if not ln.cancelled)


def first_sku(wire: Wire) -> tuple[str, str]:
    product = next(iter(wire.shop.stock.products.values()))
    return product.id, next(iter(product.skus))


async def get(wire: Wire, product_id: str) -> Any:
    return (await wire.call("GET", f"{PRODUCTS}/{product_id}"))["data"]


@pytest.mark.parametrize("seed", range(8))
async def test_no_unit_is_lost_or_made_by_any_sequence_of_cancellations(seed: int) -> None:
    """Whole orders, SKUs, line items, repeated ones and pending ones: stock + sold stays."""
    wire = new_wire(seed=seed, pending_share=0.4)
    random = Random(seed)  # noqa: S311  nothing secret
    total = quantities(wire) + sold(wire)
    async with wire.http:
        for _ in range(60):
            order = random.choice(list(wire.shop.orders.values()))
            line = random.choice(order.lines)
            part: dict[str, Any] = random.choice(
                [
                    {},
                    {"order_line_item_ids": [line.id]},
                    {"skus": [{"sku_id": line.sku.id, "quantity": 1}]},
                ]
            )
            await wire.cancel(order.id, random.choice([PAID, PAID, "unknown"]), **part)
            wire.clock.now += random.choice([0, 0.5, 3])
            wire.shop.ledger.settle()
            assert quantities(wire) + sold(wire) == total
    assert max(wire.shop.times_cancelled.values()) == 1


async def test_stock_comes_back_when_a_pending_cancellation_goes_through() -> None:
    wire = new_wire(pending_share=1.0)
    async with wire.http:
        order = wire.shop.orders[wire.order_ids("AWAITING_SHIPMENT")[0]]
        before = quantities(wire)
        await wire.cancel(order.id)
        assert quantities(wire) == before
        wire.clock.now += 3
        sku = order.lines[0].sku
        product = await get(wire, sku.product_id)
    by_id = {each["id"]: each["inventory"][0]["quantity"] for each in product["skus"]}
    assert by_id[sku.id] == before[sku.id] + sum(line.sku.id == sku.id for line in order.lines)


async def test_an_inventory_is_set_and_found(wire: Wire) -> None:
    product_id, sku_id = first_sku(wire)
    path = f"{PRODUCTS}/{product_id}/inventory/update"
    place = {"quantity": 7, "warehouse_id": wire.shop.warehouse_id}
    answer = await wire.call("POST", path, json={"skus": [{"id": sku_id, "inventory": [place]}]})
    assert answer["code"] == 0
    answer = await wire.call("POST", INVENTORY, json={"sku_ids": [sku_id]})
    (product,) = answer["data"]["inventory"]
    (sku,) = product["skus"]
    assert (product["product_id"], sku["total_available_quantity"]) == (product_id, 7)
    assert sku["total_committed_quantity"] > 0
    assert (await wire.call("POST", INVENTORY, json={}))["code"] == 36009004


@pytest.mark.parametrize("place", [{"quantity": -1}, {"quantity": 1, "warehouse_id": "9"}])
async def test_a_wrong_inventory_changes_nothing(wire: Wire, place: dict[str, Any]) -> None:
    product_id, sku_id = first_sku(wire)
    before = quantities(wire)
    body = {"skus": [{"id": sku_id, "inventory": [{"quantity": 3}, place]}]}
    answer = await wire.call("POST", f"{PRODUCTS}/{product_id}/inventory/update", json=body)
    assert answer["code"] == 36009004
    assert quantities(wire) == before


async def test_a_price_changes_for_the_next_buyer_only(wire: Wire) -> None:
    product_id, sku_id = first_sku(wire)
    paid = {order.id: order.sub_total for order in wire.shop.orders.values()}
    price = {"currency": "USD", "amount": "12.5"}
    path = f"{PRODUCTS}/{product_id}/prices/update"
    answer = await wire.call("POST", path, json={"skus": [{"id": sku_id, "price": price}]})
    assert answer["code"] == 0
    skus = {sku["id"]: sku for sku in (await get(wire, product_id))["skus"]}
    assert skus[sku_id]["price"]["sale_price"] == "12.50"
    assert {order.id: order.sub_total for order in wire.shop.orders.values()} == paid


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("USD", "0"), ("USD", "-1"), ("USD", "1.234"), ("USD", "a"), ("USD", ".5"), ("EUR", "1")],
)
async def test_a_wrong_price_is_refused(wire: Wire, currency: str, amount: str) -> None:
    product_id, sku_id = first_sku(wire)
    body = {"skus": [{"id": sku_id, "price": {"currency": currency, "amount": amount}}]}
    answer = await wire.call("POST", f"{PRODUCTS}/{product_id}/prices/update", json=body)
    assert answer["code"] == 36009004


async def test_products_are_searched_by_each_filter_and_by_page(wire: Wire) -> None:
    async def found(**body: Any) -> list[str]:
        answer = await wire.call("POST", SEARCH, query={"page_size": 100}, json=body)
        return [product["id"] for product in answer["data"]["products"]]

    every = await found()
    product_id, sku_id = first_sku(wire)
    product = wire.shop.stock.products[product_id]
    assert len(every) == 8
    assert await found(sku_ids=[sku_id]) == [product_id]
    assert await found(seller_skus=[product.skus[sku_id].sku.seller_sku]) == [product_id]
    assert await found(create_time_le=product.create_time) == [product_id]
    assert product_id not in await found(create_time_ge=product.create_time + 1)
    assert await found(status="SELLER_DEACTIVATED") == []
    page = await wire.call("POST", SEARCH, query={"page_size": 5}, json={})
    token = page["data"]["next_page_token"]
    rest = await wire.call("POST", SEARCH, query={"page_size": 5, "page_token": token}, json={})
    pages = page["data"]["products"] + rest["data"]["products"]
    assert [each["id"] for each in pages] == every


async def test_a_product_goes_off_sale_and_comes_back(wire: Wire) -> None:
    product_id, sku_id = first_sku(wire)
    steps = [
        ("POST", "/deactivate", "SELLER_DEACTIVATED", 0),
        ("POST", "/recover", "SELLER_DEACTIVATED", 1),
        ("DELETE", "", "DELETED", 0),
        ("POST", "/activate", "DELETED", 1),
        ("POST", "/recover", "SELLER_DEACTIVATED", 0),
        ("POST", "/activate", "ACTIVATE", 0),
    ]
    for method, path, status, errors in steps:
        answer = await wire.call(method, PRODUCTS + path, json={"product_ids": [product_id]})
        assert len(answer["data"]["errors"]) == errors, path
        assert (await get(wire, product_id))["status"] == status
    await wire.call("DELETE", PRODUCTS, json={"product_ids": [product_id]})
    body = {"skus": [{"id": sku_id, "inventory": [{"quantity": 1}]}]}
    answer = await wire.call("POST", f"{PRODUCTS}/{product_id}/inventory/update", json=body)
    assert answer["code"] == 12052024


async def test_what_does_not_exist_is_refused(wire: Wire) -> None:
    product_id, _ = first_sku(wire)
    assert (await wire.call("GET", f"{PRODUCTS}/1"))["code"] == 12052023
    body = {"skus": [{"id": "1", "inventory": [{"quantity": 1}]}]}
    answer = await wire.call("POST", f"{PRODUCTS}/{product_id}/inventory/update", json=body)
    assert answer["code"] == 36009004
