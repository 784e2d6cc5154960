"""Orders with their line items, and cancellations: what a shop remembers."""

from __future__ import annotations

import attrs

SELLER_ROLE = "SELLER"
SYSTEM_ROLE = "SYSTEM"

PENDING = "CANCELLATION_REQUEST_PENDING"
SUCCESS = "CANCELLATION_REQUEST_SUCCESS"


@attrs.frozen
class Sku:
    """Something that can be bought."""

    id: str
    product_id: str
    product_name: str
    name: str
    seller_sku: str
    price: int
    """In cents, as all amounts here: sums stay exact."""


@attrs.frozen
class Buyer:
    """Who bought, and where to send it."""

    user_id: str
    email: str
    first_name: str
    last_name: str
    phone_number: str
    address_line: str
    city: str
    postal_code: str


@attrs.define(eq=False)
class LineItem:
    """One unit of a SKU in an order."""

    id: str
    sku: Sku
    cancellation: Cancellation | None = None
    """The one it is in; none when its last one was refused or there never was one."""

    @property
    def cancelled(self) -> bool:
        """Whether its cancellation went through; a pending one did not yet."""
        return self.cancellation is not None and self.cancellation.status == SUCCESS


@attrs.define(eq=False, kw_only=True)
class Order:
    """An order, from the moment it is placed."""

    id: str
    status: str
    buyer: Buyer
    lines: list[LineItem]
    create_time: int
    update_time: int
    shipping_fee: int
    tax: int
    buyer_message: str = ""
    shipping_type: str = "TIKTOK"
    cancellations: list[Cancellation] = attrs.field(factory=list)

    @property
    def sub_total(self) -> int:
        """What all its line items cost, also the cancelled ones."""
        return sum(line.sku.price for line in self.lines)

    @property
    def cancelled(self) -> bool:
        """Whether nothing of the order is left."""
        return all(line.cancelled for line in self.lines)

    @property
    def last_cancellation(self) -> Cancellation | None:
        """The latest one, whatever its status."""
        return self.cancellations[-1] if self.cancellations else None


@attrs.define(eq=False, kw_only=True)
class Cancellation:
    """A request to cancel an order or some of its line items."""

    id: str
    order: Order
    lines: list[LineItem]
    reason: str
    role: str
    status: str
    paid: bool
    """Whether the order was paid, so that there is something to refund."""
    create_time: int
    update_time: int
    due: float = 0.0
    """When a pending one goes through."""
