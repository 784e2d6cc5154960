"""Requests for returns and refunds, their statuses, and the decisions that they accept."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from .orders import LineItem, Order
from .refunds import Refund, part_of, refund_of

CANCEL = "CANCEL"
REFUND = "REFUND"
RETURN_AND_REFUND = "RETURN_AND_REFUND"
REQUEST_TYPES = (CANCEL, REFUND, RETURN_AND_REFUND)

REQUESTED = "RETURN_OR_REFUND_REQUEST_PENDING"
AWAITING_BUYER_SHIP = "AWAITING_BUYER_SHIP"
BUYER_SHIPPED_ITEM = "BUYER_SHIPPED_ITEM"
AWAITING_BUYER_RESPONSE = "AWAITING_BUYER_RESPONSE"
GRANTED = "RETURN_OR_REFUND_REQUEST_SUCCESS"
PAID_OUT = "RETURN_OR_REFUND_REQUEST_COMPLETE"
REJECTED = "REFUND_OR_RETURN_REQUEST_REJECT"
PACKAGE_REJECTED = "REJECT_RECEIVE_PACKAGE"
WITHDRAWN = "RETURN_OR_REFUND_REQUEST_CANCEL"

NEXT: Mapping[str, Collection[str]] = {
    REQUESTED: (AWAITING_BUYER_SHIP, AWAITING_BUYER_RESPONSE, GRANTED, REJECTED, WITHDRAWN),
    AWAITING_BUYER_SHIP: (BUYER_SHIPPED_ITEM, GRANTED, WITHDRAWN),
    BUYER_SHIPPED_ITEM: (AWAITING_BUYER_RESPONSE, GRANTED, PACKAGE_REJECTED),
    AWAITING_BUYER_RESPONSE: (REQUESTED, BUYER_SHIPPED_ITEM, GRANTED, WITHDRAWN),
    GRANTED: (PAID_OUT,),
    PAID_OUT: (),
    REJECTED: (),
    PACKAGE_REJECTED: (),
    WITHDRAWN: (),
}
"""Status -> the statuses that can follow it."""

OPEN = (REQUESTED, AWAITING_BUYER_SHIP, BUYER_SHIPPED_ITEM, AWAITING_BUYER_RESPONSE)

APPROVALS: Mapping[str, tuple[Collection[str], Collection[str]]] = {
    "APPROVE_REFUND": ((REFUND,), (REQUESTED,)),
    "APPROVE_RETURN": ((RETURN_AND_REFUND,), (REQUESTED,)),
    "APPROVE_RECEIVED_PACKAGE": ((RETURN_AND_REFUND,), (BUYER_SHIPPED_ITEM,)),
    "DIRECT_REFUND": (
        (RETURN_AND_REFUND,),
        (REQUESTED, AWAITING_BUYER_SHIP, BUYER_SHIPPED_ITEM),
    ),
    "OFFER_PARTIAL_REFUND": ((REFUND, RETURN_AND_REFUND), (REQUESTED,)),
}
REJECTIONS: Mapping[str, tuple[Collection[str], Collection[str]]] = {
    "REJECT_REFUND": ((REFUND,), (REQUESTED,)),
    "REJECT_RETURN": ((RETURN_AND_REFUND,), (REQUESTED,)),
    "REJECT_RECEIVED_PACKAGE": ((RETURN_AND_REFUND,), (BUYER_SHIPPED_ITEM,)),
    "OFFER_PARTIAL_REFUND_AFTER_RECEIVING_PKG": ((RETURN_AND_REFUND,), (BUYER_SHIPPED_ITEM,)),
}
DECISIONS = {**APPROVALS, **REJECTIONS}
"""Decision -> the types and statuses of requests for which it is possible.

Where the documents are silent, this is our choice. Replacements are not supported.
"""

_NEXT_ACTIONS = {
    (REFUND, REQUESTED): "SELLER_RESPOND_REFUND",
    (RETURN_AND_REFUND, REQUESTED): "SELLER_RESPOND_RETURN",
    (RETURN_AND_REFUND, BUYER_SHIPPED_ITEM): "SELLER_RESPOND_RECEIVE_PACKAGE",
}


@attrs.frozen
class Record:
    """One step in the history of a request."""

    event: str
    role: str
    description: str
    create_time: int
    note: str = ""


@attrs.define(eq=False, kw_only=True)
class Return:
    """A request to refund line items, with or without sending them back."""

    id: str
    order: Order
    lines: list[LineItem]
    type: str
    reason: str
    role: str
    create_time: int
    update_time: int
    status: str = REQUESTED
    shipment_type: str = "PLATFORM"
    handover_method: str = "DROP_OFF"
    tracking_number: str = ""
    buyer_keeps_item: bool = False
    asked: int | None = None
    """The requested cents; None requests all that the line items are worth."""
    offer: int | None = None
    """The cents that the seller offered instead."""
    offered_in: str = REQUESTED
    """The status to return to if the buyer declines the offer."""
    offer_declined: bool = False
    deadline: float | None = None
    """When the platform acts, unless buyer or seller acted before, in Unix seconds."""
    refund: Refund | None = None
    """The refund, if the request was granted."""
    records: list[Record] = attrs.field(factory=list)

    @property
    def open(self) -> bool:
        """Whether it still needs a decision."""
        return self.status in OPEN

    @property
    def granted(self) -> bool:
        """Whether the refund was granted."""
        return self.status in (GRANTED, PAID_OUT)

    @property
    def sent_back(self) -> bool:
        """Whether the buyer has sent the line items back."""
        return bool(self.tracking_number)

    @property
    def worth(self) -> Refund:
        """The refund; before the request is granted, the one that granting it now would give."""
        if self.refund is not None:
            return self.refund
        whole = refund_of(self.order, self.lines)
        return whole if self.asked is None else part_of(whole, self.asked)

    @property
    def next_action(self) -> str | None:
        """The seller's next action; None if the seller has none."""
        return _NEXT_ACTIONS.get((self.type, self.status))
