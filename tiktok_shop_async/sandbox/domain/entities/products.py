"""Products with their SKUs, prices and quantities."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ...error_responses import Refusal, invalid
from .orders import Sku

ACTIVE = "ACTIVATE"
DRAFT = "DRAFT"
DEACTIVATED = "SELLER_DEACTIVATED"
DELETED = "DELETED"

UNKNOWN_PRODUCT = 12052023  # our choice
WRONG_PRODUCT_STATUS = 12052024  # our choice


@attrs.define(eq=False)
class StockedSku:
    """A SKU with its current price and quantity; orders keep the price of their time."""

    sku: Sku
    price: int
    """In cents."""
    quantity: int
    sales_attributes: list[dict[str, str]] = attrs.field(factory=list)
    """Attributes such as colour and size, in the API's format."""


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
    """SKUs that were removed but may be part of orders."""

    def sku(self, sku_id: str) -> StockedSku:
        """Return one of its SKUs."""
        found = self.skus.get(sku_id)
        if found is None:
            raise invalid(f"The product {self.id} has no SKU {sku_id}.")
        return found

    def move_to(self, status: str, allowed: Iterable[str]) -> None:
        """Set the status, if the current one is among ``allowed``."""
        if self.status not in allowed:
            raise Refusal(
                WRONG_PRODUCT_STATUS,
                f"Invalid product status: {self.status} cannot become {status}.",
            )
        self.status = status
