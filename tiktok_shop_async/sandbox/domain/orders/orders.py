"""Orders with their line items, and cancellations: what a shop remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ..aftersales.refunds import Refund
    from ..aftersales.returns import Return
    from .packages import Package

BUYER_ROLE = "BUYER"
SELLER_ROLE = "SELLER"
SYSTEM_ROLE = "SYSTEM"

PENDING = "CANCELLATION_REQUEST_PENDING"
SUCCESS = "CANCELLATION_REQUEST_SUCCESS"
DROPPED = "CANCELLATION_REQUEST_CANCEL"
"""Rejected by the seller, or withdrawn by the buyer."""


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
    """The one it is in; none when its last one was dropped or there never was one."""
    package: Package | None = None
    """The one it leaves in; none before the order is firm."""
    request: Return | None = None
    """The return or refund it is in; none when its last one came to nothing."""
    paid: bool = True
    """False when it was cancelled before the buyer paid."""

    @property
    def being_cancelled(self) -> bool:
        """Whether a cancellation of it awaits its decision."""
        return self.cancellation is not None and self.cancellation.status == PENDING

    @property
    def refunded(self) -> bool:
        """Whether a return or refund of it was granted."""
        return self.request is not None and self.request.granted

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
    paid_time: int | None = None
    cancellations: list[Cancellation] = attrs.field(factory=list)
    packages: list[Package] = attrs.field(factory=list)
    requests: list[Return] = attrs.field(factory=list)
    """Its returns and refunds, oldest first."""

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
        """The one that went through last."""
        done = [each for each in reversed(self.cancellations) if each.status == SUCCESS]
        return max(done, key=lambda each: each.update_time, default=None)

    @property
    def buyers_request(self) -> Cancellation | None:
        """The buyer's request to cancel that awaits the seller's decision."""
        return next((each for each in self.cancellations if each.awaits_seller), None)

    def line(self, line_id: str) -> LineItem | None:
        """Return one of its line items."""
        return next((line for line in self.lines if line.id == line_id), None)


@attrs.define(eq=False, kw_only=True)
class Cancellation:
    """A request to cancel an order or some of its line items."""

    id: str
    order: Order
    lines: list[LineItem]
    reason: str
    role: str
    status: str
    create_time: int
    update_time: int
    due: float = 0.0
    """When a pending one goes through by itself."""
    needs_decision: bool = False
    """Whether it is a buyer's, for the seller to approve or reject."""
    refund: Refund | None = None
    """What went back to the buyer, once it went through and if there was anything."""

    @property
    def awaits_seller(self) -> bool:
        """Whether the seller may still approve or reject it."""
        return self.needs_decision and self.status == PENDING
