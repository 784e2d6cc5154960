"""A shop with its orders, and the processes that change them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import attrs

from ..._internal.clock import Clock, clock_of
from .aftersales.cancellation_process import Cancellations
from .aftersales.eligibility import Selection, select
from .aftersales.return_process import Returns, ReturnTerms
from .entities.orders import Cancellation, Order
from .entities.packages import PROVIDER_ID, Package
from .entities.replies import Reply
from .entities.returns import REFUND, Return
from .orders.fulfillment import Fulfillment
from .orders.ledger import Ledger
from .orders.shop_settings import ShopSettings, Spans
from .orders.stock import Stock


@attrs.define(eq=False, kw_only=True)
class Shop:
    """A seller's shop.

    `fulfillment`, `cancellations` and `returns` change the orders of one `ledger`. Nothing here
    waits: a change is complete before another call can see it. Which cancellations stay pending
    follows from the seed and the order's id, not from the order of the calls.
    """

    id: str
    name: str
    cipher: str = attrs.field(repr=False)
    clock: Clock = attrs.field(repr=False, converter=clock_of)
    """A clock, or a function that returns Unix seconds."""
    settings: ShopSettings = attrs.field(factory=ShopSettings)
    code: str = "USLCSANDBOX"
    seller_type: str = "LOCAL"
    currency: str = "USD"
    warehouse_id: str = "7000714532876273001"
    ledger: Ledger = attrs.field(init=False, repr=False)
    stock: Stock = attrs.field(init=False, repr=False, factory=Stock)
    fulfillment: Fulfillment = attrs.field(init=False, repr=False)
    cancellations: Cancellations = attrs.field(init=False, repr=False)
    returns: Returns = attrs.field(init=False, repr=False)
    replies: dict[tuple[str, str], Reply] = attrs.field(factory=dict, init=False, repr=False)
    """Operation and idempotency key -> the stored response."""

    def __attrs_post_init__(self) -> None:
        self.ledger = Ledger(shop_id=self.id, clock=self.clock)
        self.fulfillment = Fulfillment(self.ledger, self.settings)
        self.cancellations = Cancellations(self.ledger, self.settings, self.stock)
        self.returns = Returns(self.ledger, self.settings, self.stock)

    @property
    def orders(self) -> dict[str, Order]:
        """All orders by id, in their current state."""
        return self.ledger.orders

    @property
    def times_cancelled(self) -> dict[str, int]:
        """Number of processed cancellations by line item id; more than 1 is an error."""
        return self.cancellations.times_cancelled()

    @property
    def spans(self) -> Spans:
        """The time spans; replace them at any time, for what starts afterwards."""
        return self.settings.spans

    @spans.setter
    def spans(self, spans: Spans) -> None:
        self.settings.spans = spans

    def add_orders(self, orders: Iterable[Order]) -> None:
        """Add orders, with their packages, cancellations and returns."""
        for order in orders:
            self.ledger.add(order)
            self.fulfillment.register(order)
            self.cancellations.register(order)
            self.returns.register(order)
            self.ledger.on_modified(order)

    def add_reply(self, reply: Reply) -> None:
        """Store the response to an idempotency key."""
        self.replies[reply.operation, reply.key] = reply
        self.ledger.on_modified(reply)

    def pay(self, order_id: str) -> Order:
        """Pay an order as its buyer; after the time on hold it awaits shipment."""
        return self.fulfillment.pay(order_id)

    def create_package(self, order_id: str, line_item_ids: Collection[str] = ()) -> Package:
        """Put line items of an order into one package; by default all that are not shipped."""
        return self.fulfillment.create_package(order_id, line_item_ids)

    def ship_package(
        self,
        package_id: str,
        *,
        tracking_number: str = "",
        provider_id: str = PROVIDER_ID,
        handover_method: str = "DROP_OFF",
    ) -> Package:
        """Mark a package as ready for its carrier."""
        return self.fulfillment.ship_package(
            package_id,
            tracking_number=tracking_number,
            provider_id=provider_id,
            handover_method=handover_method,
        )

    def ship(
        self, order_id: str, line_item_ids: Collection[str] = (), *, tracking_number: str = ""
    ) -> Package:
        """Pack line items of an order and ship the package; by default all that are left."""
        return self.fulfillment.ship(order_id, line_item_ids, tracking_number=tracking_number)

    def collect(self, order_id: str, package_id: str | None = None) -> None:
        """Hand a package of an order to the carrier; by default all that are ready."""
        self.fulfillment.collect(order_id, package_id)

    def deliver(self, order_id: str, package_id: str | None = None) -> None:
        """Deliver a package of an order; by default all that are in transit."""
        self.fulfillment.deliver(order_id, package_id)

    def complete(self, order_id: str) -> Order:
        """Complete a delivered order, which can then no longer be returned."""
        return self.fulfillment.complete(order_id)

    def cancel(
        self, order_id: str, reason: str, selection: Selection | None = None
    ) -> Cancellation:
        """Cancel an order or a part of it, as its seller."""
        return self.cancellations.cancel(order_id, reason, selection or Selection())

    def request_cancellation(
        self, order_id: str, reason: str, lines: Selection | Sequence[str] = ()
    ) -> Cancellation:
        """Cancel as the buyer; unless the order is unpaid or on hold, the seller must approve."""
        return self.cancellations.request(order_id, reason, select(lines))

    def approve_cancellation(self, cancel_id: str) -> Cancellation:
        """Approve a buyer's request, as the seller."""
        return self.cancellations.approve(cancel_id)

    def reject_cancellation(self, cancel_id: str, reason: str) -> Cancellation:
        """Reject a buyer's request, as the seller."""
        return self.cancellations.reject(cancel_id, reason)

    def withdraw_cancellation(self, cancel_id: str) -> Cancellation:
        """Withdraw a request as the buyer, before the seller decides."""
        return self.cancellations.withdraw(cancel_id)

    def request_return(
        self,
        order_id: str,
        reason: str,
        lines: Selection | Sequence[str] = (),
        *,
        return_type: str = REFUND,
        amount: int | None = None,
    ) -> Return:
        """Request a refund of all or of ``amount`` cents as the buyer, or a return and refund."""
        terms = ReturnTerms(type=return_type, amount=amount)
        return self.returns.request(order_id, reason, select(lines), terms)

    def approve_return(
        self,
        return_id: str,
        decision: str,
        *,
        amount: int | None = None,
        buyer_keeps_item: bool = False,
    ) -> Return:
        """Decide for the buyer, as the seller; ``amount`` in cents grants or offers only a part."""
        return self.returns.approve(
            return_id, decision, amount=amount, buyer_keeps_item=buyer_keeps_item
        )

    def reject_return(
        self,
        return_id: str,
        decision: str,
        reason: str,
        *,
        amount: int | None = None,
        comment: str = "",
    ) -> Return:
        """Decide against the buyer, as the seller, or offer ``amount`` cents for a parcel."""
        return self.returns.reject(return_id, decision, reason, amount=amount, comment=comment)

    def send_back(self, return_id: str, tracking_number: str = "") -> Return:
        """Send back an approved return, as the buyer."""
        return self.returns.send_back(return_id, tracking_number)

    def answer_offer(self, return_id: str, *, accept: bool) -> Return:
        """Accept or decline an offered partial refund, as the buyer."""
        return self.returns.answer_offer(return_id, accept=accept)

    def withdraw_return(self, return_id: str) -> Return:
        """Withdraw a request as the buyer, before the parcel is sent."""
        return self.returns.withdraw(return_id)
