"""Handlers that create, ship, deliver, return and search packages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import attrs

from ..domain.entities import packages
from ..domain.entities.packages import PROVIDER_NAME, Package
from ..domain.market import Market
from ..domain.shop import Shop
from ..error_responses import Refusal, invalid
from ..inputs.arguments import Arguments
from .call import AdmittedCall, Data, Handler, shop_of
from .call_values import within_times
from .order_documents import address_document, image_of
from .paging import page_of

_NOT_OF_A_PACKAGE = ("first_name", "last_name", "district_info")
"""Fields of an order's address that a package's address does not have."""


def create_packages(call: AdmittedCall, _: Market) -> Data:
    """Put an order, or some of its line items, into one package."""
    shop, body = shop_of(call), Arguments(call.body)
    ids = body.texts("order_line_item_ids")
    ids += [line.required_text("order_line_id") for line in body.objects("order_line_item")]
    order_ids = [each for each in [body.text("order_id")] if each] or body.texts("order_list_ids")
    if len(order_ids) != 1:
        raise invalid(
            "Exactly one order_id is required: the sandbox does not combine orders in a package."
        )
    package = shop.fulfillment.create_package(order_ids[0], ids)
    data: Data = {"package_id": package.id, "create_time": package.create_time}
    data |= {name: body.values[name] for name in ("dimension", "weight") if name in body.values}
    if call.version < "202512":
        data["order_id"] = package.order.id
        data["order_line_item_ids"] = [line.id for line in package.left]
    return data


def ship_package(call: AdmittedCall, _: Market) -> Data:
    """Mark a package as ready for its carrier."""
    _ship(shop_of(call), call.path_params["package_id"], Arguments(call.body))
    return {}


def batch_ship_packages(call: AdmittedCall, _: Market) -> Data:
    """Mark packages as ready for their carriers; return an error for each that cannot be."""
    shop, errors = shop_of(call), []
    for given in Arguments(call.body).objects("packages"):
        package_id = given.required_text("id")
        try:
            _ship(shop, package_id, given)
        except Refusal as refusal:
            errors.append(_error(refusal, package_id))
    return {"errors": errors}


def mark_package_as_shipped(call: AdmittedCall, _: Market) -> Data:
    """Ship an order or a part of it with the seller's own carrier."""
    shop, body = shop_of(call), Arguments(call.body)
    ids = body.texts("order_line_item_ids")
    ids += [line.required_text("order_line_id") for line in body.objects("order_line_list")]
    shipping = next(iter(body.objects("shipping_info_list")), body)
    package = shop.fulfillment.create_package(call.path_params["order_id"], ids)
    shop.fulfillment.ship_package(
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
    """Mark packages as delivered; a failed delivery changes nothing in the sandbox."""
    shop, errors = shop_of(call), []
    for given in Arguments(call.body).objects("packages"):
        package_id = given.required_text("id")
        try:
            package = shop.fulfillment.package(package_id)
            if given.required_text("delivery_type") == "DELIVERY_SUCCESS":
                shop.fulfillment.deliver(package.order.id, package.id)
        except Refusal as refusal:
            errors.append(_error(refusal, package_id))
    return {"errors": errors}


def get_package_detail(call: AdmittedCall, _: Market) -> Data:
    """Return a package."""
    shop = shop_of(call)
    package = shop.fulfillment.package(call.path_params["package_id"])
    order, listed = package.order, _document(package)
    address = address_document(order.buyer, shop.settings.region)
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
    """Return a page of the packages that match all filters."""
    shop, body = shop_of(call), Arguments(call.body)
    status = body.text("package_status")
    found: Iterable[Package] = shop.fulfillment.packages.values()
    if status is not None:
        found = [package for package in found if package.status == status]
    found = within_times(found, body)
    if call.query.get("sort_field") == "order_pay_time":
        # The same order: the sandbox creates a package right after payment and time on hold.
        call = attrs.evolve(call, query={**call.query, "sort_field": "create_time"})
    page = page_of(found, call, default_order="DESC")
    return {
        "packages": [_document(package) for package in page.items],
        "total_count": page.total_count,
        "next_page_token": page.next_token,
    }


PACKAGE_HANDLERS: Mapping[str, Handler] = {
    "fulfillment.batch_ship_packages": batch_ship_packages,
    "fulfillment.create_packages": create_packages,
    "fulfillment.get_package_detail": get_package_detail,
    "fulfillment.mark_package_as_shipped": mark_package_as_shipped,
    "fulfillment.search_packages": search_packages,
    "fulfillment.ship_package": ship_package,
    "fulfillment.update_package_delivery_status": update_package_delivery_status,
}
"""Operation -> its handler."""


def _ship(shop: Shop, package_id: str, given: Arguments) -> None:
    own = Arguments(given.values.get("self_shipment") or {})
    shop.fulfillment.ship_package(
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
