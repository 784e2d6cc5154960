"""Reasons to cancel, refund or reject, by the platform's names.

Reasons depend on who asks and on the order's status. Those of sellers to cancel also depend on the
region; all others are those of the US. The platform's lists are longer; these suffice to test
whether a client gives a valid reason.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

import attrs

from ..entities.lifecycle import (
    AWAITING_COLLECTION,
    AWAITING_SHIPMENT,
    DELIVERED,
    IN_TRANSIT,
    ON_HOLD,
    PARTIALLY_SHIPPING,
    UNPAID,
)
from ..entities.orders import BUYER_ROLE, SELLER_ROLE
from ..entities.returns import CANCEL, REFUND, RETURN_AND_REFUND

UNPAID_TOO_LONG = "system_cancel_unpaid_time_out"

Reasons = Mapping[str, str]
"""Name of a reason -> its text."""

_NONE: Reasons = {}

US, UK = "US", "GB"
_EU = frozenset(["AT", "BE", "CZ", "DE", "ES", "FR", "GR", "HU", "IE", "IT", "NL", "PL", "PT"])
_BUYERS_ASK = _EU | {"BR", "JP", "MX", "PH", US}
"""Regions where sellers can cancel because the buyer asked for it."""
_SOUTH_EAST_ASIA = frozenset(("ID", "MY", "PH", "SG", "TH", "VN"))


@attrs.frozen
class _Regional:
    """A reason that only some regions have."""

    name: str
    text: str
    only_in: Collection[str] = ()
    not_in: Collection[str] = ()

    def applies_in(self, region: str) -> bool:
        return region not in self.not_in and (not self.only_in or region in self.only_in)


_SELLER_UNPAID = (
    _Regional("seller_cancel_unpaid_reason_out_of_stock", "Out of stock"),
    _Regional("seller_cancel_unpaid_reason_wrong_price", "Pricing error", not_in=("MX",)),
    _Regional(
        "seller_cancel_unpaid_reason_buyer_hasnt_paid_within_time_allowed",
        "Payment not received",
        not_in=("SG",),
    ),
    _Regional(
        "seller_cancel_unpaid_reason_buyer_requested_cancellation",
        "Buyer requested cancellation",
        only_in=_BUYERS_ASK,
    ),
)
_SELLER_PAID = (
    _Regional("seller_cancel_reason_out_of_stock", "Out of stock"),
    _Regional("seller_cancel_reason_wrong_price", "Pricing error", not_in=("BR", "MX")),
    _Regional(
        "seller_cancel_paid_reason_address_not_deliver",
        "Unable to deliver to the buyer's address",
        not_in=_SOUTH_EAST_ASIA,
    ),
    _Regional(
        "seller_cancel_paid_reason_buyer_requested_cancellation",
        "Buyer requested cancellation",
        only_in=_BUYERS_ASK,
    ),
    _Regional("seller_cancel_order_reason_potential_fraud", "Potential fraud", only_in=("JP",)),
)


_PAID = (ON_HOLD, AWAITING_SHIPMENT, PARTIALLY_SHIPPING, AWAITING_COLLECTION)


@cache
def _sellers_cancel(status: str, region: str) -> Reasons:
    """Return a seller's reasons to cancel line items of a status."""
    if status == UNPAID:
        return {each.name: each.text for each in _SELLER_UNPAID if each.applies_in(region)}
    if status not in _PAID or (status == AWAITING_COLLECTION and region != US):
        return _NONE
    suffix = "_uk" if region == UK else ""
    return {each.name + suffix: each.text for each in _SELLER_PAID if each.applies_in(region)}


_BUYER_ANYTIME: Reasons = {
    "ecom_order_unpaid_canceled_reason_better_price": "Better price available",
    "ecom_order_unpaid_canceled_reason_no_longer_needed": "No longer needed",
    "ecom_order_to_ship_canceled_reason_change_payment_method": "Other payment method wanted",
    "ecom_order_to_ship_canceled_reason_created_by_mistakes": "Bought by mistake",
    "ecom_order_to_ship_canceled_reason_wrong_delivery_info": "Wrong delivery address",
}
_BUYER_PAID: Reasons = {
    **_BUYER_ANYTIME,
    "ecom_order_to_ship_canceled_reason_no_longer_needed": "No longer needed",
    "ecom_order_to_ship_canceled_reason_high_delivery_costs": "Shipping fee too high",
    "ecom_order_to_ship_canceled_reason_not_shipped_on_time": "Not shipped on time",
}
_BUYER_ON_ITS_WAY: Reasons = {
    "ecom_order_shipped_refund_reason_not_arrive_on_time": "Does not arrive on time",
}
_BUYER_DELIVERED: Reasons = {
    "ecom_order_delivered_refund_reason_not_received": "Package not received",
    "ecom_order_delivered_refund_reason_missing_product": "Item missing",
    "ecom_order_delivered_refund_reason_damaged": "Item or packaging damaged",
    "ecom_order_delivered_refund_reason_defective": "Item defective",
}
_SELLER_ON_ITS_WAY: Reasons = {
    "seller_shipped_refund_package_lost": "Package lost",
    "seller_shipped_refund_package_delivery_failed": "Package not delivered",
    "seller_shipped_refund_miss_estimated_delivery_date": "Package late",
}
_SELLER_DELIVERED: Reasons = {
    "ecom_order_delivered_refund_reason_missing_product_seller": "Item or accessory missing",
    "ecom_order_delivered_refund_reason_not_received_seller": "Package not received",
    "ecom_order_delivered_refund_reason_damaged_seller": "Item or packaging damaged",
    "seller_shipped_refund_package_lost": "Package lost",
}
# Our choice: only delivered items can be sent back.
_BUYER_RETURN: Reasons = {
    "ecom_order_delivered_refund_and_return_reason_no_need": "No longer needed",
    "ecom_order_delivered_refund_and_return_reason_damaged": "Item or packaging damaged",
    "ecom_order_delivered_refund_and_return_reason_wrong_product": "Wrong item sent",
}
_SELLER_RETURN: Reasons = {
    "ecom_order_delivered_refund_and_return_reason_damaged_seller": "Item or packaging damaged",
    "ecom_order_delivered_refund_and_return_reason_wrong_product_seller": "Wrong item sent",
}

_BY_STATUS: Mapping[tuple[str, str], Mapping[str, Reasons]] = {
    (CANCEL, BUYER_ROLE): {
        UNPAID: _BUYER_ANYTIME,
        ON_HOLD: _BUYER_PAID,
        AWAITING_SHIPMENT: _BUYER_PAID,
        PARTIALLY_SHIPPING: _BUYER_PAID,
    },
    (REFUND, SELLER_ROLE): {
        AWAITING_COLLECTION: _SELLER_ON_ITS_WAY,
        IN_TRANSIT: _SELLER_ON_ITS_WAY,
        DELIVERED: _SELLER_DELIVERED,
    },
    (REFUND, BUYER_ROLE): {
        AWAITING_COLLECTION: _BUYER_ON_ITS_WAY,
        IN_TRANSIT: _BUYER_ON_ITS_WAY,
        DELIVERED: _BUYER_DELIVERED,
    },
    (RETURN_AND_REFUND, SELLER_ROLE): {DELIVERED: _SELLER_RETURN},
    (RETURN_AND_REFUND, BUYER_ROLE): {DELIVERED: _BUYER_RETURN},
}

REJECT_CANCELLATION: Reasons = {
    "seller_reject_apply_product_has_been_packed": "Product already packed",
    "seller_reject_apply_unable_to_change_address": "Address cannot be changed",
    "ecom_reverse_reject_cancel_reason_product_packed": "Product already shipped",
}
REJECT_REQUEST: Reasons = {
    "reverse_reject_request_reason_3": "Not eligible for return",
    "reverse_reject_request_reason_4": "Delivery is on schedule",
    "reverse_reject_refund_request_correct_item": "Item is correct",
    "reverse_reject_refund_request_unclear_evidence": "Evidence missing or unclear",
}

TEXTS: Reasons = {
    **{each.name: each.text for each in (*_SELLER_UNPAID, *_SELLER_PAID)},
    **{f"{each.name}_uk": each.text for each in _SELLER_PAID},
    **{
        name: text
        for by_status in _BY_STATUS.values()
        for reasons in by_status.values()
        for name, text in reasons.items()
    },
    UNPAID_TOO_LONG: "Buyer payment overdue",
}
"""All reasons to cancel or refund."""


def valid_reasons(request_type: str, role: str, status: str, region: str) -> Reasons:
    """Return the valid reasons; empty if such a request is not possible."""
    if (request_type, role) == (CANCEL, SELLER_ROLE):
        return _sellers_cancel(status, region)
    if (request_type, role, status) == (CANCEL, BUYER_ROLE, AWAITING_COLLECTION):
        # There, buyers can request to cancel packed items until the carrier collects them.
        return _BUYER_PAID if region in _SOUTH_EAST_ASIA else _NONE
    return _BY_STATUS[request_type, role].get(status, _NONE)


def allows_part(reason: str, region: str) -> bool:
    """Return whether a seller can cancel a part of an order: only if out of stock, in US and UK."""
    return region in (US, UK) and "out_of_stock" in reason
