"""Handlers that create and edit products."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import attrs

from ...domain.entities.orders import Sku
from ...domain.entities.products import ACTIVE, DRAFT, Product, StockedSku
from ...domain.market import Market
from ...domain.shop import Shop
from ...domain.shop_events import category_changed, images_changed, product_created, product_moved
from ...error_responses import invalid
from ...inputs.arguments import Arguments
from ..call import AdmittedCall, Data, Handler
from ..idempotent_replies import idempotent
from .product_handlers import changeable, price_of, quantity_of, settled_shop

MAX_SKUS = 300
"""Maximum number of SKUs of a product; our choice."""

_FIRST_PRODUCT_ID = 1_729_600_000_000_000_000
_ID_STEP = 1_000_000
"""Difference between the ids of new products: the ids of a product's SKUs lie between."""


@idempotent
def create_product(call: AdmittedCall, _: Market) -> Data:
    """Create a product: on sale at once, without a review, or as a draft."""
    shop, body = settled_shop(call), Arguments(call.body)
    now = int(shop.ledger.now())
    product = Product(
        id=str(_FIRST_PRODUCT_ID + _ID_STEP * len(shop.stock.products)),
        title="",
        skus={},
        create_time=now,
        update_time=now,
        status=DRAFT if _as_draft(body) else ACTIVE,
    )
    _apply(product, body, shop)
    shop.stock.add([product])
    shop.ledger.on_event(product_created(product, shop.id))
    return {**_product_data(product), "warnings": []}


def edit_product(call: AdmittedCall, _: Market) -> Data:
    """Replace a product by the one of the body; SKUs that it does not name are withdrawn."""
    return _edit(call, withdraw=True)


def partial_edit_product(call: AdmittedCall, _: Market) -> Data:
    """Change only what the body names."""
    return _edit(call, withdraw=False)


LISTING_HANDLERS: Mapping[str, Handler] = {
    "product.create_product": create_product,
    "product.edit_product": edit_product,
    "product.partial_edit_product": partial_edit_product,
}
"""Operation -> its handler."""


def _edit(call: AdmittedCall, *, withdraw: bool) -> Data:
    shop, product = changeable(call)
    body = Arguments(call.body)
    if _as_draft(body) and product.status != DRAFT:
        raise invalid("A product that was on sale cannot have a draft in the sandbox.")
    category, images = product.category_id, product.image_uris
    _apply(product, body, shop, withdraw=withdraw)
    listed = product.status == DRAFT and not _as_draft(body)
    if listed:
        product.status = ACTIVE
    shop.stock.mark_modified(product, shop.ledger.now())
    if listed:
        shop.ledger.on_event(product_moved(product, shop.id))
    if product.category_id != category:
        shop.ledger.on_event(category_changed(product, shop.id, category))
    if product.image_uris != images:
        shop.ledger.on_event(images_changed(product, shop.id))
    return {**_product_data(product), "audit": {"status": "NONE"}}


def _as_draft(body: Arguments) -> bool:
    return body.choice("save_mode", ("AS_DRAFT", "LISTING"), "LISTING") == "AS_DRAFT"


def _apply(product: Product, body: Arguments, shop: Shop, *, withdraw: bool = False) -> None:
    """Apply a body to a product; if a part of it is invalid, apply nothing."""
    title = body.text("title") or product.title
    skus = _skus(product, body, shop)
    if withdraw or not product.skus:
        if not skus:
            raise invalid("The product must have at least one SKU.")
    else:
        skus = {**product.skus, **skus}
    if len(skus) > MAX_SKUS:
        raise invalid(f"The product must have at most {MAX_SKUS} SKUs.")
    for sku_id in product.skus.keys() - skus.keys():
        product.withdrawn[sku_id] = product.skus[sku_id]
    for sku in skus.values():
        sku.sku = attrs.evolve(sku.sku, product_name=title)
    product.title, product.skus = title, skus
    product.description = body.text("description") or product.description
    product.category_id = body.text("category_id") or product.category_id
    uris = [image.required_text("uri") for image in body.objects("main_images")]
    product.image_uris = uris or product.image_uris


def _skus(product: Product, body: Arguments, shop: Shop) -> dict[str, StockedSku]:
    """Return the SKUs of a body by id; a SKU that has an id keeps what the body does not name."""
    taken = [int(sku_id) for sku_id in (*product.skus, *product.withdrawn)]
    newest = max(taken, default=int(f"2{product.id[1:]}"))
    found: dict[str, StockedSku] = {}
    for given in body.objects("skus"):
        sku_id = given.text("id")
        if sku_id:
            before = product.sku(sku_id)
        else:
            newest += 1
            before = _new_sku(str(newest), product.id, given)
        if before.sku.id in found:
            raise invalid(f"The SKU {sku_id} is given twice.")
        found[before.sku.id] = _changed_sku(before, given, shop)
    return found


def _new_sku(sku_id: str, product_id: str, given: Arguments) -> StockedSku:
    if given.values.get("price") is None:
        raise invalid("A new SKU requires a price.")
    sku = Sku(
        id=sku_id, product_id=product_id, product_name="", name="Default", seller_sku="", price=0
    )
    return StockedSku(sku, price=0, quantity=0)


def _changed_sku(before: StockedSku, given: Arguments, shop: Shop) -> StockedSku:
    """Return a SKU with the given changes; SKUs in orders stay unchanged."""
    price = price_of(given, shop) if given.values.get("price") is not None else before.price
    quantity = quantity_of(given, shop)
    attributes = [_attribute(each) for each in given.objects("sales_attributes")]
    names = [each["value_name"] for each in attributes if "value_name" in each]
    return StockedSku(
        attrs.evolve(
            before.sku,
            name=", ".join(names) or before.sku.name,
            seller_sku=given.text("seller_sku") or before.sku.seller_sku,
            price=price,
        ),
        price=price,
        quantity=before.quantity if quantity is None else quantity,
        sales_attributes=attributes or before.sales_attributes,
    )


def _attribute(given: Arguments) -> dict[str, str]:
    """Return a sales attribute; without ids, it gets ids that follow from its names."""
    name, value = given.text("name") or "", given.text("value_name") or ""
    attribute = {
        "id": given.text("id") or _id_of(name),
        "name": name,
        "value_id": given.text("value_id") or _id_of(f"{name}/{value}"),
        "value_name": value,
    }
    return {field: text for field, text in attribute.items() if text}


def _id_of(name: str) -> str:
    return str(7_000_000_000_000_000_000 + zlib.crc32(name.encode("utf-8", "surrogatepass")))


def _product_data(product: Product) -> Data:
    return {
        "product_id": product.id,
        "skus": [
            {
                "id": sku.sku.id,
                "seller_sku": sku.sku.seller_sku,
                "sales_attributes": [
                    {"id": each["id"], "value_id": each["value_id"]}
                    for each in sku.sales_attributes
                ],
            }
            for sku in product.skus.values()
        ],
    }
