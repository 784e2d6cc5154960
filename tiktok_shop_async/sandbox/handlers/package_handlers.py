"""How packages are played: made, shipped, delivered, read and searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from ..arguments import Arguments
from ..domain.market import Market
from ..domain.orders import packages
from ..domain.orders.packages import PROVIDER_NAME, Package
from ..domain.shop import Shop
from ..error_responses import Refusal, invalid
from ..http.gateway import AdmittedCall
from .order_documents import address_document, image_of
from .paging import page_of
from .reading import shop_of, within_times

Data = dict[str, Any]

_NOT_OF_A_PACKAGE = ("first_name", "last_name", "district_info")
"""Parts of an order's address that a package's does not have."""


def create_packages(call: AdmittedCall, _: Market) -> Data:
    """Pack an order, or some line items of it, into one package."""
    shop, body = shop_of(call), Arguments(call.body)
    ids = body.texts("order_line_item_ids")
    ids += [line.required_text("order_line_id") for line in body.objects("order_line_item")]
    order_ids = [each for each in [body.text("order_id")] if each] or body.texts("order_list_ids")
    if len(order_ids) != 1:
        raise invalid("Give the order_id of one order; packages of several are not played.")
    package = shop.create_package(order_ids[0], ids)
    data: Data = {"package_id": package.id, "create_time": package.create_time}
    data |= {name: body.values[name] for name in ("dimension", "weight") if name in body.values}
    if call.version < "202512":
        data["order_id"] = package.order.id
        data["order_line_item_ids"] = [line.id for line in package.left]
    return data


def ship_package(call: AdmittedCall, _: Market) -> Data:
    """Have a package wait for its carrier."""
    _ship(shop_of(call), call.path_params["package_id"], Arguments(call.body))
    return {}


def batch_ship_packages(call: AdmittedCall, _: Market) -> Data:
    """Have packages wait for their carriers, with an error for each that cannot."""
    shop, errors = shop_of(call), []
    for given in Arguments(call.body).objects("packages"):
        package_id = given.required_text("id")
        try:
            _ship(shop, package_id, given)
        except Refusal as refusal:
            errors.append(_error(refusal, package_id))
    return {"errors": errors}


def mark_package_as_shipped(call: AdmittedCall, _: Market) -> Data:
    """Ship an order or a part of it with a carrier of the seller's own."""
    shop, body = shop_of(call), Arguments(call.body)
    ids = body.texts("order_line_item_ids")
    ids += [line.required_text("order_line_id") for line in body.objects("order_line_list")]
    shipping = next(iter(body.objects("shipping_info_list")), body)
    package = shop.create_package(call.path_params["order_id"], ids)
    shop.ship_package(
        package.id,
        tracking_number=shipping.text("tracking_number") or "",
        provider_id=shipping.text("shipping_provider_id") or packages.PROVIDER_ID,
    )
    return {
        "order_id": package.order.id,
        "order_line_item_ids": [line.id for line in package.left],
        "package_id": package.id,
    }


def update_package_delivery_status(call: AdmittedCall, _: Market) -> Data:
    """Take in that packages were delivered; that one was not changes nothing here."""
    shop, errors = shop_of(call), []
    for given in Arguments(call.body).objects("packages"):
        package_id = given.required_text("id")
        try:
            package = shop.package(package_id)
            if given.required_text("delivery_type") == "DELIVERY_SUCCESS":
                shop.deliver(package.order.id, package.id)
        except Refusal as refusal:
            errors.append(_error(refusal, package_id))
    return {"errors": errors}


def get_package_detail(call: AdmittedCall, _: Market) -> Data:
    """Answer with a package."""
    shop = shop_of(call)
    package = shop.package(call.path_params["package_id"])
    order, listed = package.order, _document(package)
    address = address_document(order.buyer, shop.region)
    return {
        "package_id": listed.pop("id"),
        "package_status": listed.pop("status"),
        **listed,
        "handover_method": package.handover_method,
        "has_multi_skus": len({line.sku.id for line in package.left}) > 1,
        "note_tag": "BUYER_NOTED" if order.buyer_message else "BUYER_UNNOTED",
        "shipping_type": order.shipping_type,
        "delivery_option_id": "7091146663229654785",
        "delivery_option_name": "Standard shipping",
        "split_and_combine_tag": "SPLIT" if len(order.packages) > 1 else "DEFAULT",
        "warehouse_id": shop.warehouse_id,
        "recipient_address": {
            name: value for name, value in address.items() if name not in _NOT_OF_A_PACKAGE
        },
    }


def search_packages(call: AdmittedCall, _: Market) -> Data:
    """Answer with the packages that fit all filters, a page at a time."""
    shop, body = shop_of(call), Arguments(call.body)
    status = body.text("package_status")
    found: Iterable[Package] = shop.packages.values()
    if status is not None:
        found = [package for package in found if package.status == status]
    found = within_times(found, body)
    if call.query.get("sort_field") == "order_pay_time":
        # As good as the same here: a package is made when its order is paid and off hold.
        call = attrs.evolve(call, query={**call.query, "sort_field": "create_time"})
    page = page_of(found, call, default_order="DESC")
    return {
        "packages": [_document(package) for package in page.items],
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


PACKAGE_PLAYS: Mapping[str, Callable[[AdmittedCall, Market], Data]] = {
    "fulfillment.batch_ship_packages": batch_ship_packages,
    "fulfillment.create_packages": create_packages,
    "fulfillment.get_package_detail": get_package_detail,
    "fulfillment.mark_package_as_shipped": mark_package_as_shipped,
    "fulfillment.search_packages": search_packages,
    "fulfillment.ship_package": ship_package,
    "fulfillment.update_package_delivery_status": update_package_delivery_status,
}
"""Operation -> the function that plays it."""


def _ship(shop: Shop, package_id: str, given: Arguments) -> None:
    own = Arguments(given.values.get("self_shipment") or {})
    shop.ship_package(
        package_id,
        tracking_number=own.text("tracking_number") or "",
        provider_id=own.text("shipping_provider_id") or packages.PROVIDER_ID,
        handover_method=given.choice("handover_method", ("DROP_OFF", "PICKUP"), "DROP_OFF"),
    )


def _error(refusal: Refusal, package_id: str) -> Data:
    return {
        "code": refusal.code,
        "message": refusal.message,
        "detail": {"package_id": package_id},
    }


def _document(package: Package) -> Data:
    quantities = Counter(line.sku for line in package.left)
    skus = [
        {
            "id": sku.id,
            "name": sku.name,
            "image_url": image_of(sku.product_id),
            "quantity": quantity,
        }
        for sku, quantity in quantities.items()
    ]
    document: Data = {
        "id": package.id,
        "status": package.status,
        "create_time": package.create_time,
        "update_time": package.update_time,
        "orders": [{"id": package.order.id, "skus": skus}],
        "order_line_item_ids": [line.id for line in package.left],
    }
    if package.tracking_number:
        document["tracking_number"] = package.tracking_number
        document["shipping_provider_id"] = package.provider_id
        document["shipping_provider_name"] = PROVIDER_NAME
    return document
