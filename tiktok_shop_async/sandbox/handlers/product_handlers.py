"""How products are played: read, searched, priced, stocked, and taken on and off sale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Set
from typing import Any

from ..arguments import Arguments
from ..domain.events import product_moved
from ..domain.market import Market
from ..domain.orders.products import ACTIVE, DEACTIVATED, DELETED, DRAFT, Product, StockedSku
from ..domain.shop import Shop
from ..error_responses import Refusal, invalid
from ..http.gateway import AdmittedCall
from .order_documents import image_of, money
from .paging import page_of
from .reading import shop_of, within_times

Data = dict[str, Any]

_COMMITTED = ("UNPAID", "ON_HOLD", "AWAITING_SHIPMENT", "PARTIALLY_SHIPPING", "AWAITING_COLLECTION")
CHANGEABLE = (ACTIVE, DEACTIVATED, DRAFT)
"""Statuses of products that can be priced, stocked, edited and deleted."""
_LONGEST_PRICE = 12
"""Digits of a price; our choice."""


def get_product(call: AdmittedCall, _: Market) -> Data:
    """Answer with a product, also a deleted one."""
    shop = settled_shop(call)
    return _product_document(shop.stock.product(call.path_params["product_id"]), shop)


def search_products(call: AdmittedCall, _: Market) -> Data:
    """Answer with the products that fit all filters, a page at a time."""
    shop, body = settled_shop(call), Arguments(call.body)
    status = body.text("status")
    sku_ids, seller_skus = set(body.texts("sku_ids")), set(body.texts("seller_skus"))

    def fits(product: Product) -> bool:
        skus = product.skus.values()
        return (
            status in (None, "ALL", product.status)
            and (not sku_ids or not sku_ids.isdisjoint(product.skus))
            and (not seller_skus or any(sku.sku.seller_sku in seller_skus for sku in skus))
        )

    found = within_times(filter(fits, shop.stock.products.values()), body)
    page = page_of(found, call, default_order="DESC")
    return {
        "products": [_listed(product, shop) for product in page.items],
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


def search_inventory(call: AdmittedCall, _: Market) -> Data:
    """Answer with what is in stock of the products or SKUs asked for, and what orders hold."""
    shop, body = settled_shop(call), Arguments(call.body)
    product_ids, sku_ids = set(body.texts("product_ids")), set(body.texts("sku_ids"))
    if not product_ids and not sku_ids:
        raise invalid("Give product_ids or sku_ids.")
    found = {
        product.id: skus
        for product in shop.stock.products.values()
        if (
            skus := [
                sku
                for sku_id, sku in product.skus.items()
                if product.id in product_ids or sku_id in sku_ids
            ]
        )
    }
    held = _held(shop, {sku.sku.id for skus in found.values() for sku in skus})
    return {
        "inventory": [
            {
                "product_id": product_id,
                "skus": [_inventory_document(sku, held[sku.sku.id], shop) for sku in skus],
            }
            for product_id, skus in found.items()
        ]
    }


def update_inventory(call: AdmittedCall, _: Market) -> Data:
    """Set the quantities of SKUs: all of them, or none when one is wrong."""
    shop, product = changeable(call)
    changes = []
    for given in Arguments(call.body).objects("skus"):
        sku = product.sku(given.required_text("id"))
        quantity = quantity_of(given, shop)
        if quantity is not None:
            changes.append((sku, quantity))
    for sku, quantity in changes:
        sku.quantity = quantity
    shop.stock.touch(product, shop.clock())
    return {"errors": []}


def update_price(call: AdmittedCall, _: Market) -> Data:
    """Set the prices of SKUs: all of them, or none when one is wrong."""
    shop, product = changeable(call)
    changes = [
        (product.sku(given.required_text("id")), price_of(given, shop))
        for given in Arguments(call.body).objects("skus")
    ]
    for sku, amount in changes:
        sku.price = amount
    shop.stock.touch(product, shop.clock())
    return {}


def quantity_of(sku: Arguments, shop: Shop) -> int | None:
    """Return how much there is to be of a SKU in the shop's warehouse; None if nothing is said."""
    quantity = None
    for place in sku.objects("inventory"):
        if place.text("warehouse_id") not in (None, shop.warehouse_id):
            raise invalid(
                f"The parameter {place.path}warehouse_id must be {shop.warehouse_id}, "
                "the shop's only warehouse."
            )
        quantity = place.integer("quantity")
        if quantity is not None and quantity < 0:
            raise invalid(f"The parameter {place.path}quantity must be at least 0.")
    return quantity


def price_of(sku: Arguments, shop: Shop) -> int:
    """Return the cents that a SKU is to cost."""
    price = sku.object("price")
    if price.required_text("currency") != shop.currency:
        raise invalid(f"The parameter {price.path}currency must be {shop.currency}.")
    return cents(price.text("amount") or price.required_text("sale_price"))


def cents(text: str) -> int:
    """Return an amount that the API wrote or was given, exactly."""
    whole, _, part = text.partition(".")
    digits = whole + part.ljust(2, "0")
    fits = digits.isascii() and digits.isdecimal() and len(digits) <= _LONGEST_PRICE
    if not whole or len(part) > 2 or not fits or int(digits) == 0:
        raise invalid("A price must be a positive amount with at most two decimals.")
    return int(digits)


def _moving(status: str, allowed: Collection[str]) -> Callable[[AdmittedCall, Market], Data]:
    """Return the play that brings products to a status, and names those it cannot bring there."""

    def move(call: AdmittedCall, _: Market) -> Data:
        shop, errors = settled_shop(call), []
        for product_id in dict.fromkeys(Arguments(call.body).texts("product_ids")):
            try:
                product = shop.stock.product(product_id)
                before = product.status
                product.move_to(status, allowed)
                shop.stock.touch(product, shop.clock())
                if product.status != before:
                    shop.on_change(product_moved(product, shop.id))
            except Refusal as refusal:
                detail = {"product_id": product_id}
                errors.append({"code": refusal.code, "message": refusal.message, "detail": detail})
        return {"errors": errors}

    return move


PRODUCT_PLAYS: Mapping[str, Callable[[AdmittedCall, Market], Data]] = {
    "product.activate_products": _moving(ACTIVE, (ACTIVE, DEACTIVATED)),
    "product.deactivate_products": _moving(DEACTIVATED, (ACTIVE, DEACTIVATED)),
    "product.delete_products": _moving(DELETED, CHANGEABLE),
    "product.get_product": get_product,
    # Our choice: what was deleted comes back off sale.
    "product.recover_products": _moving(DEACTIVATED, (DELETED,)),
    "product.search_inventory": search_inventory,
    "product.search_products": search_products,
    "product.update_inventory": update_inventory,
    "product.update_price": update_price,
}
"""Operation -> the function that plays it."""


def settled_shop(call: AdmittedCall) -> Shop:
    """Return the shop that a call is about, as it is now."""
    shop = shop_of(call)
    shop.settle()  # what is pending may be due, and puts stock back
    return shop


def changeable(call: AdmittedCall) -> tuple[Shop, Product]:
    """Return the shop and the product that a call is to change; a deleted one is refused."""
    shop = settled_shop(call)
    product = shop.stock.product(call.path_params["product_id"])
    product.move_to(product.status, CHANGEABLE)
    return shop, product


def _held(shop: Shop, sku_ids: Set[str]) -> Counter[str]:
    """Count the units of some SKUs that orders hold and that have not left yet."""
    return Counter(
        line.sku.id
        for order in shop.orders.values()
        if order.status in _COMMITTED
        for line in order.lines
        if line.sku.id in sku_ids and not line.cancelled
    )


def _listed(product: Product, shop: Shop) -> Data:
    return {
        "id": product.id,
        "title": product.title,
        "status": product.status,
        "create_time": product.create_time,
        "update_time": product.update_time,
        "sales_regions": [shop.region],
        "skus": [_sku_document(sku, shop) for sku in product.skus.values()],
    }


def _product_document(product: Product, shop: Shop) -> Data:
    listed = _listed(product, shop)
    del listed["sales_regions"]
    if product.category_id:
        listed["category_chains"] = [{"id": product.category_id, "is_leaf": True}]
    if product.image_uris:
        images = [{"uri": uri, "urls": [image_of(product.id)]} for uri in product.image_uris]
        listed["main_images"] = images
    for document, sku in zip(listed["skus"], product.skus.values(), strict=True):
        document["sales_attributes"] = sku.sales_attributes
    return {
        **listed,
        "description": product.description or f"<p>{product.title}</p>",
        "product_status": product.status,
        "has_draft": product.status == DRAFT,
        "is_not_for_sale": False,
        "is_cod_allowed": False,
    }


def _sku_document(sku: StockedSku, shop: Shop) -> Data:
    price = money(sku.price)
    return {
        "id": sku.sku.id,
        "seller_sku": sku.sku.seller_sku,
        "price": {
            "currency": shop.currency,
            "sale_price": price,
            "tax_exclusive_price": price,
        },
        "inventory": [{"warehouse_id": shop.warehouse_id, "quantity": sku.quantity}],
    }


def _inventory_document(sku: StockedSku, held: int, shop: Shop) -> Data:
    return {
        "id": sku.sku.id,
        "seller_sku": sku.sku.seller_sku,
        "total_available_quantity": sku.quantity,
        "total_committed_quantity": held,
        "warehouse_inventory": [
            {
                "warehouse_id": shop.warehouse_id,
                "available_quantity": sku.quantity,
                "committed_quantity": held,
            }
        ],
    }
