"""The products of a shop."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from ...error_responses import Refusal
from ..entities.orders import LineItem
from ..entities.products import UNKNOWN_PRODUCT, Product
from ..shop_events import ignore


@attrs.define(eq=False)
class Stock:
    """All products of a shop by id, including deleted ones."""

    products: dict[str, Product] = attrs.field(factory=dict)
    on_modified: Callable[[Product], object] = attrs.field(default=ignore, repr=False)
    """Called with every product that was added or modified."""

    def add(self, products: Iterable[Product]) -> None:
        """Add products."""
        for product in products:
            self.products[product.id] = product
            self.on_modified(product)

    def product(self, product_id: str) -> Product:
        """Return a product in any status."""
        found = self.products.get(product_id)
        if found is None:
            raise Refusal(UNKNOWN_PRODUCT, f"The product {product_id} does not exist in this shop.")
        return found

    def mark_modified(self, product: Product, now: float) -> None:
        """Set a product's update time and report the modification."""
        product.update_time = int(now)
        self.on_modified(product)

    def restock(self, lines: Iterable[LineItem]) -> None:
        """Add the units of line items to the stock again, including those of withdrawn SKUs."""
        for line in lines:
            product = self.products.get(line.sku.product_id)
            if product is not None:
                skus = product.skus if line.sku.id in product.skus else product.withdrawn
                skus[line.sku.id].quantity += 1
                self.on_modified(product)
