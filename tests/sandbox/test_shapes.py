"""Every answer has the shape that the catalogue gives it."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.scenarios import requests_of_aftersale
from sandbox.wire import PAID, UNPAID, Wire, new_product, new_wire

import catalogue
from tiktok_shop_async.registry import operations
from tiktok_shop_async.resources._groups import GROUPS
from tiktok_shop_async.sandbox.handlers.operation_handlers import HANDLERS
from tiktok_shop_async.sandbox.http.operation_routes import find_route

OPERATIONS = catalogue.operations()
NO_DATA = (
    "fulfillment.ship_package",
    "product.update_price",
    "return_refund.approve_cancellation",
    "return_refund.approve_return",
    "return_refund.reject_cancellation",
    "return_refund.reject_return",
)
KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


def assert_fits(value: Any, node: dict[str, Any], version: str, where: str) -> None:
    """Fail where ``value`` has a field, a type or an enum value that the catalogue lacks."""
    if node["type"] == "array":
        assert isinstance(value, list), where
        for index, item in enumerate(value):
            assert_fits(item, node["items"], version, f"{where}[{index}]")
    elif node["type"] == "object":
        assert isinstance(value, dict), where
        fields = catalogue.in_version(node.get("fields", {}), version)
        for name, child in value.items():
            assert name in fields, f"{where}.{name} is not in {version}"
            assert_fits(child, fields[name], version, f"{where}.{name}")
    else:
        assert isinstance(value, KINDS[node["type"]]), f"{where}: {value!r}"
        assert value in node.get("enum", [value]), f"{where}: {value!r}"


async def cancel_variously(wire: Wire) -> None:
    """Give a shop cancellations of all kinds: whole and partial, paid, unpaid, pending."""
    for status, reason in (("UNPAID", UNPAID), ("ON_HOLD", PAID), ("AWAITING_SHIPMENT", PAID)):
        for order_id in wire.order_ids(status)[:20]:
            await wire.cancel(order_id, reason)
    for order_id in wire.order_ids("AWAITING_SHIPMENT", lines=2)[-5:]:
        line_id = wire.shop.orders[order_id].lines[0].id
        await wire.cancel(order_id, order_line_item_ids=[line_id])


def request_of(operation_id: str, wire: Wire) -> dict[str, Any]:
    ids = list(wire.shop.orders)
    free = wire.order_ids("AWAITING_SHIPMENT")[30]
    product = next(iter(wire.shop.stock.products.values()))
    sku_id = next(iter(product.skus))
    path, ids_of_one = {"product_id": product.id}, {"product_ids": [product.id, "1"]}
    new = new_product(wire.shop)
    requests: dict[str, dict[str, Any]] = {
        "product.create_product": {"json": new},
        "product.edit_product": {"path": path, "json": new},
        "product.partial_edit_product": {"path": path, "json": {"title": "Another"}},
        "product.activate_products": {"json": ids_of_one},
        "product.deactivate_products": {"json": ids_of_one},
        "product.delete_products": {"json": ids_of_one},
        "product.recover_products": {"json": ids_of_one},
        "product.get_product": {"path": path},
        "product.search_products": {"query": {"page_size": 3}, "json": {}},
        "product.search_inventory": {"json": {"product_ids": [product.id]}},
        "product.update_inventory": {
            "path": path,
            "json": {"skus": [{"id": sku_id, "inventory": [{"quantity": 5}]}]},
        },
        "authorization.get_authorized_shops": {"query": {"shop_cipher": None}},
        "order.get_order_list": {"query": {"page_size": 100}, "json": {}},
        "order.get_order_detail": {"query": {"ids": ",".join(ids[-50:])}},
        "product.upload_product_image": {
            "query": {"shop_cipher": None},
            "files": {"data": b"\xff\xd8\xff an image"},
        },
        "return_refund.cancel_order": {"json": {"order_id": free, "cancel_reason": PAID}},
        "return_refund.search_cancellations": {"query": {"page_size": 50}, "json": {}},
        "event.get_shop_webhooks": {},
        "event.update_shop_webhook": {
            "json": {"event_type": "ORDER_STATUS_CHANGE", "address": "https://app.example/hook"}
        },
        "event.delete_shop_webhook": {"json": {"event_type": "ORDER_STATUS_CHANGE"}},
        "return_refund.get_aftersale_eligibility": {"path": {"order_id": ids[150]}},
    }
    return {**requests_of_aftersale(wire), **requests}[operation_id]


@pytest.mark.parametrize(
    ("operation_id", "version"),
    [
        (name, version)
        for name in HANDLERS
        if name not in NO_DATA
        for version in OPERATIONS[name]["versions"]
    ],
)
async def test_an_answer_has_the_shape_of_the_catalogue(operation_id: str, version: str) -> None:
    """No field, type or enum value that the operation's version does not have."""
    operation = OPERATIONS[operation_id]
    wire = new_wire(pending_share=0.3)
    async with wire.http:
        await cancel_variously(wire)
        request = request_of(operation_id, wire)
        path = operation["path"].format(version=version, **request.pop("path", {}))
        if (operation_id, version) == ("fulfillment.create_packages", "202512"):
            request["json"]["ship_type"] = "2"
        answer = await wire.call(operation["method"], path, **request)
    assert answer["code"] == 0, answer
    assert answer["data"] or not operation["response"]
    node = {"type": "object", "fields": operation["response"]}
    assert_fits(answer["data"], node, version, operation_id)


@pytest.mark.parametrize("operation_id", ["order.get_order_list", "order.get_order_detail"])
async def test_an_order_of_each_status_has_the_shape_of_the_catalogue(operation_id: str) -> None:
    operation = OPERATIONS[operation_id]
    wire = new_wire(pending_share=0.3)
    async with wire.http:
        await cancel_variously(wire)
        requests_of_aftersale(wire)
        orders = list(wire.shop.orders.values())
        for version in operation["versions"]:
            for order in {order.status: order for order in orders}.values():
                by_id = operation_id == "order.get_order_detail"
                query = {"ids": order.id} if by_id else {"page_size": 100}
                body = {"json": {"order_status": order.status}} if "list" in operation_id else {}
                path = operation["path"].format(version=version)
                answer = await wire.call(operation["method"], path, query=query, **body)
                assert answer["data"]["orders"]
                node = {"type": "object", "fields": operation["response"]}
                assert_fits(answer["data"], node, version, operation_id)


def test_every_endpoint_has_its_route() -> None:
    """All operations in all versions are found again by the paths they are called at."""
    count = 0
    for group in GROUPS:
        for operation in operations(group):
            for version in operation.versions:
                path = operation.path.replace("{version}", version)
                route = find_route(operation.method, path.replace("{", "<").replace("}", ">"))
                assert (route.operation, route.version) == (operation, version)
                assert all(value == f"<{name}>" for name, value in route.path_params.items())
                count += 1
    assert count == 537
