"""Orders, line items, buyers and cancellations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from .packages import Package
    from .refunds import Refund
    from .returns import Return

BUYER_ROLE = "BUYER"
SELLER_ROLE = "SELLER"
SYSTEM_ROLE = "SYSTEM"

PENDING = "CANCELLATION_REQUEST_PENDING"
SUCCESS = "CANCELLATION_REQUEST_SUCCESS"
DROPPED = "CANCELLATION_REQUEST_CANCEL"
"""The status after a rejection by the seller or a withdrawal by the buyer."""


@attrs.frozen
class Sku:
    """A product variant that can be bought."""

    id: str
    product_id: str
    product_name: str
    name: str
    seller_sku: str
    price: int
    """In cents, as are all amounts here, so that sums stay exact."""


@attrs.frozen
class Buyer:
    """A buyer with the shipping address."""

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
    """The cancellation that includes it, unless that was rejected or withdrawn."""
    package: Package | None = None
    """The package it is shipped in; None while the order is unpaid or on hold."""
    request: Return | None = None
    """The return or refund that includes it, unless that was rejected or withdrawn."""
    paid: bool = True
    """False if it was cancelled before the buyer paid."""

    @property
    def being_cancelled(self) -> bool:
        """Whether a cancellation of it is pending."""
        return self.cancellation is not None and self.cancellation.status == PENDING

    @property
    def refunded(self) -> bool:
        """Whether a return or refund of it was granted."""
        return self.request is not None and self.request.granted

    @property
    def cancelled(self) -> bool:
        """Whether its cancellation is complete; a pending one is not."""
        return self.cancellation is not None and self.cancellation.status == SUCCESS


@attrs.define(eq=False, kw_only=True)
class Order:
    """An order."""

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
        """The price of all its line items, including cancelled ones."""
        return sum(line.sku.price for line in self.lines)

    @property
    def cancelled(self) -> bool:
        """Whether all its line items are cancelled."""
        return all(line.cancelled for line in self.lines)

    @property
    def last_cancellation(self) -> Cancellation | None:
        """The cancellation that was completed last."""
        done = [each for each in reversed(self.cancellations) if each.status == SUCCESS]
        return max(done, key=lambda each: each.update_time, default=None)

    @property
    def buyers_request(self) -> Cancellation | None:
        """The buyer's cancellation request that awaits the seller's decision."""
        return next((each for each in self.cancellations if each.awaits_seller), None)

    def line(self, line_id: str) -> LineItem | None:
        """Return one of its line items; None if the id is unknown."""
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
    """When a pending cancellation is confirmed automatically, in Unix seconds."""
    needs_decision: bool = False
    """Whether it is a buyer's request that the seller must approve."""
    refund: Refund | None = None
    """The refund when it was completed; None if the order was unpaid."""

    @property
    def awaits_seller(self) -> bool:
        """Whether the seller can still approve or reject it."""
        return self.needs_decision and self.status == PENDING
