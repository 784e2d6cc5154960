"""Products with their prices and stock: what a shop has to sell."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from ...error_responses import Refusal, invalid
from ..events import ignore
from .orders import LineItem, Sku

ACTIVE = "ACTIVATE"
DRAFT = "DRAFT"
DEACTIVATED = "SELLER_DEACTIVATED"
DELETED = "DELETED"

UNKNOWN_PRODUCT = 12052023  # our choice, as is the next
WRONG_PRODUCT_STATUS = 12052024


@attrs.define(eq=False)
class StockedSku:
    """A SKU as it is on sale now; what an order bought keeps the price of its day."""

    sku: Sku
    price: int
    """In cents."""
    quantity: int
    sales_attributes: list[dict[str, str]] = attrs.field(factory=list)
    """What tells it from the product's other SKUs, as the API writes it."""


@attrs.define(eq=False, kw_only=True)
class Product:
    """A product with its SKUs."""

    id: str
    title: str
    skus: dict[str, StockedSku]
    create_time: int
    update_time: int
    status: str = ACTIVE
    description: str = ""
    category_id: str = ""
    image_uris: list[str] = attrs.field(factory=list)
    withdrawn: dict[str, StockedSku] = attrs.field(factory=dict)
    """SKUs that it no longer has, but that orders may hold."""

    def sku(self, sku_id: str) -> StockedSku:
        """Return one of its SKUs."""
        found = self.skus.get(sku_id)
        if found is None:
            raise invalid(f"The product {self.id} has no SKU {sku_id}.")
        return found

    def move_to(self, status: str, allowed: Iterable[str]) -> None:
        """Change the status; only some statuses lead to another."""
        if self.status not in allowed:
            raise Refusal(
                WRONG_PRODUCT_STATUS,
                f"Invalid product status: {self.status} cannot become {status}.",
            )
        self.status = status


@attrs.define(eq=False)
class Stock:
    """All products of a shop."""

    products: dict[str, Product] = attrs.field(factory=dict)
    on_touch: Callable[[Product], object] = attrs.field(default=ignore, repr=False)
    """Hears of every product that is no longer as it was."""

    def add(self, products: Iterable[Product]) -> None:
        """Take products in."""
        for product in products:
            self.products[product.id] = product
            self.on_touch(product)

    def product(self, product_id: str) -> Product:
        """Return a product, whatever its status."""
        found = self.products.get(product_id)
        if found is None:
            raise Refusal(UNKNOWN_PRODUCT, f"The product {product_id} does not exist in this shop.")
        return found

    def touch(self, product: Product, now: float) -> None:
        """Note that something about a product changed."""
        product.update_time = int(now)
        self.on_touch(product)

    def put_back(self, lines: Iterable[LineItem]) -> None:
        """Return the units of line items to the stock, also of what is no longer for sale."""
        for line in lines:
            product = self.products.get(line.sku.product_id)
            if product is not None:
                skus = product.skus if line.sku.id in product.skus else product.withdrawn
                skus[line.sku.id].quantity += 1
                self.on_touch(product)
