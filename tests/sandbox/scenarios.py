"""Orders in the states that tests start from, and the paths of the operations on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sandbox.wire import Wire

from tiktok_shop_async.sandbox import Refusal
from tiktok_shop_async.sandbox.domain.entities.orders import Order

RETURN_REFUND = "/return_refund/202309"
APPROVE_CANCELLATION = RETURN_REFUND + "/cancellations/{}/approve"
REJECT_CANCELLATION = RETURN_REFUND + "/cancellations/{}/reject"
RETURNS = "/return_refund/202602/returns"
SEARCH_RETURNS = "/return_refund/202602/returns/search"
APPROVE_RETURN = RETURN_REFUND + "/returns/{}/approve"
REJECT_RETURN = "/return_refund/202606/returns/{}/reject"
RECORDS = RETURN_REFUND + "/returns/{}/records"
REJECT_REASONS = RETURN_REFUND + "/reject_reasons"
CALCULATE = "/return_refund/202602/refunds/calculate"
ELIGIBILITY = "/return_refund/202602/orders/{}/aftersale_eligibility"
DECISIONS = "/return_refund/202601/decision_eligibility"
PACKAGES = "/fulfillment/202309/packages"
SEARCH_PACKAGES = PACKAGES + "/search"

NO_NEED = "ecom_order_to_ship_canceled_reason_no_longer_needed"
LATE = "ecom_order_shipped_refund_reason_not_arrive_on_time"
DAMAGED = "ecom_order_delivered_refund_reason_damaged"
SENT_BACK = "ecom_order_delivered_refund_and_return_reason_damaged"
DAMAGED_SAYS_SELLER = "ecom_order_delivered_refund_reason_damaged_seller"
SENT_BACK_SAYS_SELLER = "ecom_order_delivered_refund_and_return_reason_damaged_seller"
PACKED = "seller_reject_apply_product_has_been_packed"
UNCLEAR = "reverse_reject_refund_request_unclear_evidence"


@contextmanager
def refuses(code: int) -> Iterator[None]:
    """Fail unless the block is refused with a code."""
    with pytest.raises(Refusal) as caught:
        yield
    assert caught.value.code == code


def paid_for(order: Order) -> int:
    """Return the cents that the buyer paid, tax shared out by price as the refunds must."""
    paid = so_far = tax_so_far = 0
    for line in order.lines:
        so_far += line.sku.price
        tax = order.tax * so_far // order.sub_total - tax_so_far
        tax_so_far += tax
        paid += (line.sku.price + tax) * line.paid
    return paid + order.shipping_fee


def refunded_for(order: Order) -> int:
    """Return the cents that went back to the buyer so far."""
    refunds = [each.refund for each in order.cancellations]
    refunds += [each.refund for each in order.requests]
    return sum(refund.total for refund in refunds if refund is not None)


def order_in(wire: Wire, status: str, *, lines: int = 1, at: int = 0) -> Order:
    """Return one of the orders of a status that nobody cancels, with so many line items or more."""
    orders = [wire.shop.orders[order_id] for order_id in wire.order_ids(status, lines=lines)]
    return [order for order in orders if not order.cancellations][at]


def delivered(wire: Wire, *, lines: int = 2) -> Order:
    """Return an order that was just delivered."""
    order = order_in(wire, "AWAITING_SHIPMENT", lines=lines)
    wire.shop.ship(order.id)
    wire.shop.collect(order.id)
    wire.shop.deliver(order.id)
    assert order.status == "DELIVERED"
    return order


async def find_cancellation(wire: Wire, cancel_id: str, version: str = "202602") -> Any:
    path = f"/return_refund/{version}/cancellations/search"
    answer = await wire.call("POST", path, json={"cancel_ids": [cancel_id]})
    (found,) = answer["data"]["cancellations"]
    return found


async def find_return(wire: Wire, return_id: str) -> Any:
    answer = await wire.call("POST", SEARCH_RETURNS, json={"return_ids": [return_id]})
    (found,) = answer["data"]["return_orders"]
    return found


def requests_of_aftersale(wire: Wire) -> dict[str, dict[str, Any]]:
    """Return a request for each operation on packages, buyers' requests and returns."""
    shop = wire.shop
    waiting = [order_in(wire, "AWAITING_SHIPMENT", lines=2, at=at) for at in range(10, 12)]
    arrived = [delivered(wire) for _ in range(8)]
    asked = shop.request_cancellation(waiting[0].id, NO_NEED)
    refund = shop.request_return(arrived[0].id, DAMAGED)
    back = shop.request_return(arrived[1].id, SENT_BACK, return_type="RETURN_AND_REFUND")
    shop.approve_return(back.id, "APPROVE_RETURN")
    shop.send_back(back.id)
    offered = shop.request_return(arrived[2].id, DAMAGED)
    shop.approve_return(offered.id, "OFFER_PARTIAL_REFUND", amount=100)
    granted = shop.request_return(arrived[3].id, DAMAGED)
    shop.approve_return(granted.id, "APPROVE_REFUND")
    order_id, package_id = waiting[1].id, waiting[1].packages[0].id
    pack = {"order_id": order_id, "weight": {"value": "1.2", "unit": "POUND"}}
    ask = {"order_id": arrived[4].id, "return_reason": DAMAGED_SAYS_SELLER, "return_type": "REFUND"}
    sent = order_in(wire, "IN_TRANSIT").packages[0].id
    return {
        "fulfillment.create_packages": {"json": pack},
        "fulfillment.ship_package": {"path": {"package_id": package_id}, "json": {}},
        "fulfillment.batch_ship_packages": {
            "json": {"packages": [{"id": package_id}, {"id": "1"}]}
        },
        "fulfillment.mark_package_as_shipped": {"path": {"order_id": order_id}, "json": {}},
        "fulfillment.update_package_delivery_status": {
            "json": {
                "packages": [
                    {"id": each, "delivery_type": "DELIVERY_SUCCESS"} for each in (sent, "1")
                ]
            }
        },
        "fulfillment.get_package_detail": {"path": {"package_id": sent}},
        "fulfillment.search_packages": {"query": {"page_size": 50}, "json": {}},
        "return_refund.create_return": {"json": ask},
        "return_refund.search_returns": {"query": {"page_size": 10}, "json": {}},
        "return_refund.get_return_records": {"path": {"return_id": back.id}},
        "return_refund.get_reject_reasons": {"query": {"return_or_cancel_id": asked.id}},
        "return_refund.get_decision_eligibility": {"query": {"return_or_cancel_id": refund.id}},
        "return_refund.calculate_refund": {
            "json": {
                "order_id": arrived[5].id,
                "request_type": "REFUND",
                "reason_name": DAMAGED,
            }
        },
        "return_refund.approve_cancellation": {"path": {"cancel_id": asked.id}},
        "return_refund.reject_cancellation": {
            "path": {"cancel_id": asked.id},
            "json": {"reject_reason": PACKED},
        },
        "return_refund.approve_return": {
            "path": {"return_id": refund.id},
            "json": {"decision": "APPROVE_REFUND"},
        },
        "return_refund.reject_return": {
            "path": {"return_id": refund.id},
            "json": {"decision": "REJECT_REFUND", "reject_reason": UNCLEAR},
        },
        "return_refund.get_aftersale_eligibility": {
            "path": {"order_id": arrived[6].id},
        },
    }
