"""Handlers that return and search products, and set prices, quantities and statuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Set

from ...domain.entities.products import ACTIVE, DEACTIVATED, DELETED, DRAFT, Product, StockedSku
from ...domain.market import Market
from ...domain.shop import Shop
from ...domain.shop_events import product_moved
from ...error_responses import Refusal, invalid
from ...inputs.amounts import format_amount, parse_amount
from ...inputs.arguments import Arguments
from ..call import AdmittedCall, Data, Handler, shop_of
from ..call_values import within_times
from ..order_documents import image_of
from ..paging import page_of

_COMMITTED = ("UNPAID", "ON_HOLD", "AWAITING_SHIPMENT", "PARTIALLY_SHIPPING", "AWAITING_COLLECTION")
CHANGEABLE = (ACTIVE, DEACTIVATED, DRAFT)
"""Statuses of products that can be changed and deleted."""


def get_product(call: AdmittedCall, _: Market) -> Data:
    """Return a product, including a deleted one."""
    shop = settled_shop(call)
    return _product_document(shop.stock.product(call.path_params["product_id"]), shop)


def search_products(call: AdmittedCall, _: Market) -> Data:
    """Return a page of the products that match all filters."""
    shop, body = settled_shop(call), Arguments(call.body)
    status = body.text("status")
    sku_ids, seller_skus = set(body.texts("sku_ids")), set(body.texts("seller_skus"))

    def matches(product: Product) -> bool:
        skus = product.skus.values()
        return (
            status in (None, "ALL", product.status)
            and (not sku_ids or not sku_ids.isdisjoint(product.skus))
            and (not seller_skus or any(sku.sku.seller_sku in seller_skus for sku in skus))
        )

    found = within_times(filter(matches, shop.stock.products.values()), body)
    page = page_of(found, call, default_order="DESC")
    return {
        "products": [_listed(product, shop) for product in page.items],
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


def search_inventory(call: AdmittedCall, _: Market) -> Data:
    """Return the available quantities of products or SKUs, and those committed to orders."""
    shop, body = settled_shop(call), Arguments(call.body)
    product_ids, sku_ids = set(body.texts("product_ids")), set(body.texts("sku_ids"))
    if not product_ids and not sku_ids:
        raise invalid("product_ids or sku_ids is required.")
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
    committed = _committed(shop, {sku.sku.id for skus in found.values() for sku in skus})
    return {
        "inventory": [
            {
                "product_id": product_id,
                "skus": [_inventory_document(sku, committed[sku.sku.id], shop) for sku in skus],
            }
            for product_id, skus in found.items()
        ]
    }


def update_inventory(call: AdmittedCall, _: Market) -> Data:
    """Set the quantities of SKUs; if one is invalid, set none."""
    shop, product = changeable(call)
    changes = []
    for given in Arguments(call.body).objects("skus"):
        sku = product.sku(given.required_text("id"))
        quantity = quantity_of(given, shop)
        if quantity is not None:
            changes.append((sku, quantity))
    for sku, quantity in changes:
        sku.quantity = quantity
    shop.stock.mark_modified(product, shop.ledger.now())
    return {"errors": []}


def update_price(call: AdmittedCall, _: Market) -> Data:
    """Set the prices of SKUs; if one is invalid, set none."""
    shop, product = changeable(call)
    changes = [
        (product.sku(given.required_text("id")), price_of(given, shop))
        for given in Arguments(call.body).objects("skus")
    ]
    for sku, amount in changes:
        sku.price = amount
    shop.stock.mark_modified(product, shop.ledger.now())
    return {}


def quantity_of(sku: Arguments, shop: Shop) -> int | None:
    """Return the given quantity of a SKU in the shop's warehouse; None if it is missing."""
    quantity = None
    for entry in sku.objects("inventory"):
        if entry.text("warehouse_id") not in (None, shop.warehouse_id):
            raise invalid(
                f"The parameter {entry.path}warehouse_id must be {shop.warehouse_id}, "
                "the shop's only warehouse."
            )
        quantity = entry.integer("quantity")
        if quantity is not None and quantity < 0:
            raise invalid(f"The parameter {entry.path}quantity must be at least 0.")
    return quantity


def price_of(sku: Arguments, shop: Shop) -> int:
    """Return the given price of a SKU in cents."""
    price = sku.object("price")
    if price.required_text("currency") != shop.currency:
        raise invalid(f"The parameter {price.path}currency must be {shop.currency}.")
    cents = parse_amount(price.text("amount") or price.required_text("sale_price"))
    if not cents:
        raise invalid("A price must be a positive amount with at most two decimals.")
    return cents


def _status_handler(status: str, allowed: Collection[str]) -> Handler:
    """Return a handler that moves products to a status, with an error for each failure."""

    def move(call: AdmittedCall, _: Market) -> Data:
        shop, errors = settled_shop(call), []
        for product_id in dict.fromkeys(Arguments(call.body).texts("product_ids")):
            try:
                product = shop.stock.product(product_id)
                before = product.status
                product.move_to(status, allowed)
                shop.stock.mark_modified(product, shop.ledger.now())
                if product.status != before:
                    shop.ledger.on_event(product_moved(product, shop.id))
            except Refusal as refusal:
                detail = {"product_id": product_id}
                errors.append({"code": refusal.code, "message": refusal.message, "detail": detail})
        return {"errors": errors}

    return move


PRODUCT_HANDLERS: Mapping[str, Handler] = {
    "product.activate_products": _status_handler(ACTIVE, (ACTIVE, DEACTIVATED)),
    "product.deactivate_products": _status_handler(DEACTIVATED, (ACTIVE, DEACTIVATED)),
    "product.delete_products": _status_handler(DELETED, CHANGEABLE),
    "product.get_product": get_product,
    # Our choice: a recovered product is deactivated.
    "product.recover_products": _status_handler(DEACTIVATED, (DELETED,)),
    "product.search_inventory": search_inventory,
    "product.search_products": search_products,
    "product.update_inventory": update_inventory,
    "product.update_price": update_price,
}
"""Operation -> its handler."""


def settled_shop(call: AdmittedCall) -> Shop:
    """Return the shop of a call in its current state."""
    shop = shop_of(call)
    shop.ledger.settle()  # cancellations that are due change the stock
    return shop


def changeable(call: AdmittedCall) -> tuple[Shop, Product]:
    """Return the shop and product of a call; refuse a deleted product."""
    shop = settled_shop(call)
    product = shop.stock.product(call.path_params["product_id"])
    product.move_to(product.status, CHANGEABLE)
    return shop, product


def _committed(shop: Shop, sku_ids: Set[str]) -> Counter[str]:
    """Count the units of SKUs in orders that were not collected yet."""
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
        "sales_regions": [shop.settings.region],
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
    price = format_amount(sku.price)
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


def _inventory_document(sku: StockedSku, committed: int, shop: Shop) -> Data:
    return {
        "id": sku.sku.id,
        "seller_sku": sku.sku.seller_sku,
        "total_available_quantity": sku.quantity,
        "total_committed_quantity": committed,
        "warehouse_inventory": [
            {
                "warehouse_id": shop.warehouse_id,
                "available_quantity": sku.quantity,
                "committed_quantity": committed,
            }
        ],
    }
