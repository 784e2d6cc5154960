"""The operations that the sandbox plays, each as a function from a call to its answer's data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import rules
from .arguments import Arguments
from .documents import cancellation_document, order_documents
from .gateway import AdmittedCall
from .images import describe_image
from .made_up import made_up_answer
from .market import Market
from .orders import Cancellation, LineItem, Order
from .paging import Dated, page_of
from .product_plays import PRODUCT_PLAYS
from .refusals import Refusal, invalid
from .shop import Shop
from .webhook_plays import WEBHOOK_PLAYS

Data = dict[str, Any]
Play = Callable[[AdmittedCall, Market], Data]

MOST_ORDERS_AT_ONCE = 50


def play(call: AdmittedCall, market: Market) -> Data:
    """Carry a call out and return the ``data`` of its answer."""
    found = PLAYS.get(call.operation.id)
    return found(call, market) if found else made_up_answer(call)


def get_authorized_shops(call: AdmittedCall, market: Market) -> Data:
    """Answer with the shops that the token's authorization covers."""
    return {
        "shops": [
            {
                "id": shop.id,
                "name": shop.name,
                "region": shop.region,
                "seller_type": shop.seller_type,
                "cipher": shop.cipher,
                "code": shop.code,
            }
            for shop in market.shops_of(call.token)
        ]
    }


def get_order_list(call: AdmittedCall, _: Market) -> Data:
    """Answer with the orders that fit all filters, a page at a time."""
    shop, body = _shop(call), Arguments(call.body)
    within = _time_filter(body)
    wanted = {
        "status": body.text("order_status"),
        "shipping_type": body.text("shipping_type"),
    }
    buyer = body.text("buyer_user_id")
    warehouses = body.texts("warehouse_ids")
    # No buyer asks for a cancellation here yet, and all orders leave from one warehouse.
    nothing_fits = body.boolean("is_buyer_request_cancel") or (
        warehouses and shop.warehouse_id not in warehouses
    )

    def fits(order: Order) -> bool:
        return (
            all(value is None or getattr(order, name) == value for name, value in wanted.items())
            and buyer in (None, order.buyer.user_id)
            and within(order)
        )

    found = [] if nothing_fits else [order for order in shop.orders.values() if fits(order)]
    page = page_of(found, Arguments(call.query), largest=100, default_size=20, default_order="DESC")
    return {
        "orders": order_documents(page.items, shop),
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


def get_order_detail(call: AdmittedCall, _: Market) -> Data:
    """Answer with orders by id, leaving out those that the shop does not have."""
    shop = _shop(call)
    ids = Arguments(call.query).joined_texts("ids")
    if len(ids) > MOST_ORDERS_AT_ONCE:
        raise invalid(f"The parameter ids takes at most {MOST_ORDERS_AT_ONCE} ids.")
    orders = shop.orders
    return {
        "orders": order_documents(
            (orders[order_id] for order_id in dict.fromkeys(ids) if order_id in orders), shop
        )
    }


def cancel_order(call: AdmittedCall, _: Market) -> Data:
    """Cancel an order, or the part of it that the body selects."""
    body = Arguments(call.body)
    cancellation = _shop(call).cancel(
        body.required_text("order_id"), body.required_text("cancel_reason"), _selection(body)
    )
    data: Data = {"cancel_id": cancellation.id, "cancel_status": cancellation.status}
    return data if call.version >= "202602" else {**data, "success": True}


def search_cancellations(call: AdmittedCall, _: Market) -> Data:
    """Answer with the cancellations that fit all filters, a page at a time."""
    shop, body = _shop(call), Arguments(call.body)
    wanted: dict[str, Callable[[Cancellation], str]] = {
        "cancel_ids": lambda cancellation: cancellation.id,
        "order_ids": lambda cancellation: cancellation.order.id,
        "buyer_user_ids": lambda cancellation: cancellation.order.buyer.user_id,
        "cancel_types": lambda _: "CANCEL",
        "cancel_status": lambda cancellation: cancellation.status,
    }
    chosen = [(frozenset(body.texts(name)), read) for name, read in wanted.items()]
    filters = [(values, read) for values, read in chosen if values]
    within = _time_filter(body)
    found = [
        cancellation
        for cancellation in _candidates(shop, body.texts("order_ids"))
        if all(read(cancellation) in values for values, read in filters) and within(cancellation)
    ]
    page = page_of(found, Arguments(call.query), largest=50, default_size=10, default_order="ASC")
    return {
        "cancellations": [
            cancellation_document(cancellation, shop, call.version) for cancellation in page.items
        ],
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


def get_aftersale_eligibility(call: AdmittedCall, _: Market) -> Data:
    """Answer with what of an order can be cancelled, SKU by SKU, and for which reasons."""
    shop = _shop(call)
    order = shop.order(call.path_params["order_id"])
    lines_by_sku: dict[str, list[LineItem]] = defaultdict(list)
    for line in order.lines:
        lines_by_sku[line.sku.id].append(line)
    return {
        "sku_eligibility": [
            {
                "sku_id": sku_id,
                "line_item_eligibility": [
                    _eligibility(order, line, call.version) for line in lines
                ],
            }
            for sku_id, lines in lines_by_sku.items()
        ]
    }


def upload_product_image(call: AdmittedCall, _: Market) -> Data:
    """Take a picture in, and say where it is."""
    file = call.files.get("data")
    if file is None:
        raise invalid("The parameter data must be a file.")
    return describe_image(file, Arguments(call.body).text("use_case") or "MAIN_IMAGE")


PLAYS: Mapping[str, Play] = {
    **PRODUCT_PLAYS,
    "authorization.get_authorized_shops": get_authorized_shops,
    "order.get_order_list": get_order_list,
    "order.get_order_detail": get_order_detail,
    "product.upload_product_image": upload_product_image,
    "return_refund.cancel_order": cancel_order,
    "return_refund.get_aftersale_eligibility": get_aftersale_eligibility,
    "return_refund.search_cancellations": search_cancellations,
    **WEBHOOK_PLAYS,
}
"""Operation -> the function that plays it."""


def _shop(call: AdmittedCall) -> Shop:
    assert call.shop is not None, f"{call.operation.id} is an operation of a shop"
    return call.shop


def _time_filter(body: Arguments) -> Callable[[Dated], bool]:
    """Return the test of the time filters: from ``ge`` on, and before ``lt``."""
    bounds = [
        (field, body.integer(f"{field}_ge"), body.integer(f"{field}_lt"))
        for field in ("create_time", "update_time")
    ]

    def within(item: Dated) -> bool:
        return all(
            (ge is None or getattr(item, field) >= ge) and (lt is None or getattr(item, field) < lt)
            for field, ge, lt in bounds
        )

    return within


def _selection(body: Arguments) -> rules.Selection:
    lines = body.objects("order_line_list")
    if any(line.text("sub_order_line_item_id") for line in lines):
        raise invalid("The order has no bundles, so no sub_order_line_item_id can be given.")
    ids = [*body.texts("order_line_item_ids")]
    ids += [line.required_text("order_line_item_id") for line in lines]
    quantities: dict[str, int] = {}
    for sku in body.objects("skus"):
        sku_id = sku.required_text("sku_id")
        quantities[sku_id] = quantities.get(sku_id, 0) + sku.required_integer("quantity")
    return rules.Selection(ids, quantities)


def _candidates(shop: Shop, order_ids: Iterable[str]) -> Iterable[Cancellation]:
    """Return the cancellations to look at: those of the orders asked for, else all."""
    if not order_ids:
        return shop.cancellations.values()
    orders = shop.orders
    return [
        cancellation
        for order_id in dict.fromkeys(order_ids)
        if order_id in orders
        for cancellation in orders[order_id].cancellations
    ]


def _eligibility(order: Order, line: LineItem, version: str) -> Data:
    data: Data = {
        "request_type": "CANCEL",
        "order_line_items_ids": [line.id],
        "eligible": True,
    }
    reasons = list(rules.REASONS_BY_STATUS.get(order.status, ()))
    try:
        rules.check_status(order)
        rules.check_line(line)
    except Refusal as refusal:
        reasons = []
        data["eligible"] = False
        data["ineligible_code"] = refusal.code
        data["ineligible_reason"] = refusal.message
    if version >= "202512":
        data["available_reason_names"] = reasons
    if version >= "202602":
        data["order_line_list"] = [{"order_line_item_id": line.id}]
    return data
