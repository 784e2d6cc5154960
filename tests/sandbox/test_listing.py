"""Products that clients list: created, edited, and known to everything else from then on."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.sandbox.wire import PAID, Wire, new_product

PRODUCTS = "/product/202309/products"
EDIT = "/product/202509/products/{}"
PARTIAL_EDIT = EDIT + "/partial_edit"
SEARCH = "/product/202502/products/search"
INVENTORY = "/product/202309/inventory/search"


async def create(wire: Wire, **changes: Any) -> Any:
    return await wire.call("POST", PRODUCTS, json={**new_product(wire.shop), **changes})


async def get(wire: Wire, product_id: str) -> Any:
    return (await wire.call("GET", f"{PRODUCTS}/{product_id}"))["data"]


def on_sale(shown: Any) -> list[tuple[str, str, int]]:
    return [
        (sku["seller_sku"], sku["price"]["sale_price"], sku["inventory"][0]["quantity"])
        for sku in shown["skus"]
    ]


async def test_a_new_product_is_on_sale_and_known_everywhere(wire: Wire) -> None:
    created = (await create(wire))["data"]
    product_id, sku_ids = created["product_id"], [sku["id"] for sku in created["skus"]]
    shown = await get(wire, product_id)
    assert (shown["title"], shown["status"]) == ("Enamel Mug", "ACTIVATE")
    assert shown["create_time"] == shown["update_time"] == wire.clock()
    assert on_sale(shown) == [("MUG-Red", "12.50", 7), ("MUG-Blue", "13.00", 0)]
    assert [sku["sales_attributes"][0]["value_name"] for sku in shown["skus"]] == ["Red", "Blue"]
    assert shown["main_images"][0]["uri"] == "sandbox/mug"

    found = await wire.call("POST", SEARCH, query={"page_size": 1}, json={"sku_ids": sku_ids})
    assert [each["id"] for each in found["data"]["products"]] == [product_id]
    found = await wire.call("POST", INVENTORY, json={"sku_ids": sku_ids})
    (stock,) = found["data"]["inventory"]
    assert [sku["total_available_quantity"] for sku in stock["skus"]] == [7, 0]

    change = {"skus": [{"id": sku_ids[1], "inventory": [{"quantity": 4}]}]}
    await wire.call("POST", f"{PRODUCTS}/{product_id}/inventory/update", json=change)
    change = {"skus": [{"id": sku_ids[1], "price": {"currency": "USD", "amount": "9.99"}}]}
    await wire.call("POST", f"{PRODUCTS}/{product_id}/prices/update", json=change)
    assert on_sale(await get(wire, product_id))[1] == ("MUG-Blue", "9.99", 4)
    ids = {"product_ids": [product_id]}
    for path, status in (("/deactivate", "SELLER_DEACTIVATED"), ("/activate", "ACTIVATE")):
        assert (await wire.call("POST", PRODUCTS + path, json=ids))["data"]["errors"] == []
        assert (await get(wire, product_id))["status"] == status
    await wire.call("DELETE", PRODUCTS, json=ids)
    assert (await get(wire, product_id))["status"] == "DELETED"


async def test_all_ids_are_new(wire: Wire) -> None:
    products = wire.shop.stock.products
    seeded = {*products, *(sku_id for each in products.values() for sku_id in each.skus)}
    new: list[str] = []
    for _ in range(3):
        created = (await create(wire))["data"]
        new += [created["product_id"], *(sku["id"] for sku in created["skus"])]
    assert len(new) == len(set(new)) == 9
    assert seeded.isdisjoint(new)


async def test_a_key_creates_one_product(wire: Wire) -> None:
    first = await create(wire, idempotency_key="once")
    again = await create(wire, idempotency_key="once")
    assert first["data"] == again["data"]
    assert len(wire.shop.stock.products) == 9
    other = await create(wire, idempotency_key="once", title="Another")
    assert (other["code"], "other arguments" in other["message"]) == (36009004, True)
    assert (await create(wire, idempotency_key="k" * 129))["code"] == 36009004
    assert (await create(wire, idempotency_key="twice"))["data"] != first["data"]


def faulty(wire: Wire, **changes: Any) -> dict[str, Any]:
    first, second = new_product(wire.shop)["skus"]
    return {"skus": [first, {**second, **changes}]}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"price": {"currency": "USD", "amount": "0"}}, "price"),
        ({"price": {"currency": "USD", "amount": "1.234"}}, "price"),
        ({"price": {"currency": "GBP", "amount": "1"}}, "currency"),
        ({"price": {"currency": "USD"}}, "sale_price"),
        ({"inventory": [{"warehouse_id": "9", "quantity": 1}]}, "warehouse_id"),
    ],
)
async def test_a_faulty_sku_keeps_the_product_from_being_made_or_changed(
    wire: Wire, changes: dict[str, Any], word: str
) -> None:
    product_id = (await create(wire))["data"]["product_id"]
    before = await get(wire, product_id)
    body = faulty(wire, **changes)
    edit = {**new_product(wire.shop), **body, "title": "Another"}
    for answer in (
        await create(wire, **body),
        await wire.call("PUT", EDIT.format(product_id), json=edit),
        await wire.call("POST", PARTIAL_EDIT.format(product_id), json={**body, "title": "Another"}),
    ):
        assert (answer["code"], word in answer["message"]) == (36009004, True)
    assert len(wire.shop.stock.products) == 9
    assert await get(wire, product_id) == before


async def test_a_product_needs_a_sku_and_not_too_many(wire: Wire) -> None:
    assert (await create(wire, skus=[]))["code"] == 36009004
    sku = new_product(wire.shop)["skus"][0]
    assert (await create(wire, skus=[sku] * 301))["code"] == 36009004
    assert (await create(wire, skus=[sku] * 300))["code"] == 0


async def test_a_part_is_edited_and_the_rest_stays(wire: Wire) -> None:
    created = (await create(wire))["data"]
    product_id, path = created["product_id"], PARTIAL_EDIT.format(created["product_id"])
    wire.clock.now += 5
    price = {"currency": "USD", "amount": "15"}
    body = {"title": "Tin Mug", "skus": [{"id": created["skus"][0]["id"], "price": price}]}
    answer = await wire.call("POST", path, json=body)
    assert [sku["id"] for sku in answer["data"]["skus"]] == [sku["id"] for sku in created["skus"]]
    shown = await get(wire, product_id)
    assert (shown["title"], shown["description"]) == ("Tin Mug", "<p>Keeps warm.</p>")
    assert shown["update_time"] == shown["create_time"] + 5
    assert on_sale(shown) == [("MUG-Red", "15.00", 7), ("MUG-Blue", "13.00", 0)]
    unpriced = {"skus": [{"seller_sku": "MUG-Green"}]}
    assert (await wire.call("POST", path, json=unpriced))["code"] == 36009004
    twice = {"skus": [{"id": created["skus"][0]["id"]}] * 2}
    assert (await wire.call("POST", path, json=twice))["code"] == 36009004


async def test_a_whole_edit_withdraws_what_it_does_not_name(wire: Wire) -> None:
    """Ids are not given twice, and what orders bought of the withdrawn SKU still comes back."""
    order = wire.shop.orders[wire.order_ids("AWAITING_SHIPMENT")[0]]
    bought = order.lines[0].sku
    body = new_product(wire.shop)
    answer = await wire.call("PUT", EDIT.format(bought.product_id), json=body)
    ids = [sku["id"] for sku in answer["data"]["skus"]]
    assert bought.id not in ids
    product = wire.shop.stock.products[bought.product_id]
    left = product.withdrawn[bought.id].quantity
    assert (await wire.cancel(order.id, PAID))["code"] == 0
    returned = sum(line.sku.id == bought.id for line in order.lines)
    assert product.withdrawn[bought.id].quantity == left + returned
    assert on_sale(await get(wire, bought.product_id))[0] == ("MUG-Red", "12.50", 7)
    again = await wire.call("PUT", EDIT.format(bought.product_id), json=body)
    assert {sku["id"] for sku in again["data"]["skus"]}.isdisjoint([*ids, bought.id])
    named = {**body, "skus": [{"id": bought.id}]}
    assert (await wire.call("PUT", EDIT.format(bought.product_id), json=named))["code"] == 36009004


async def test_a_draft_goes_on_sale_by_an_edit(wire: Wire) -> None:
    created = (await create(wire, save_mode="AS_DRAFT"))["data"]
    path = PARTIAL_EDIT.format(created["product_id"])
    assert (await get(wire, created["product_id"]))["status"] == "DRAFT"
    ids = {"product_ids": [created["product_id"]]}
    refused = await wire.call("POST", f"{PRODUCTS}/activate", json=ids)
    assert len(refused["data"]["errors"]) == 1
    await wire.call("POST", path, json={"title": "Draft Mug", "save_mode": "AS_DRAFT"})
    assert (await get(wire, created["product_id"]))["status"] == "DRAFT"
    await wire.call("POST", path, json={"save_mode": "LISTING"})
    assert (await get(wire, created["product_id"]))["status"] == "ACTIVATE"
    assert (await wire.call("POST", path, json={"save_mode": "AS_DRAFT"}))["code"] == 36009004


async def test_a_deleted_product_is_not_edited(wire: Wire) -> None:
    product_id = (await create(wire))["data"]["product_id"]
    await wire.call("DELETE", PRODUCTS, json={"product_ids": [product_id]})
    answer = await wire.call("POST", PARTIAL_EDIT.format(product_id), json={"title": "Another"})
    assert answer["code"] == 12052024
