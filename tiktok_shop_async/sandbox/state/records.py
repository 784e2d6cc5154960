"""Orders as JSON records and back.

The record of an order includes its cancellations, packages and returns. References between them
are ids.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs
from cattrs.preconf.json import make_converter

from ..domain.entities.lifecycle import NEXT
from ..domain.entities.orders import Buyer, Cancellation, LineItem, Order, Sku
from ..domain.entities.packages import Package
from ..domain.entities.refunds import Refund, Share
from ..domain.entities.returns import Record, Return

Json = dict[str, Any]

converter = make_converter()


def order_record(order: Order) -> Json:
    """Return the record of an order."""
    parts = ("buyer", "lines", "cancellations", "packages", "requests")
    return {
        **_fields_of(order, without=parts),
        "buyer": _fields_of(order.buyer),
        "lines": [_line_record(line) for line in order.lines],
        "cancellations": [_part_record(each) for each in order.cancellations],
        "packages": [_part_record(each) for each in order.packages],
        "requests": [_part_record(each) for each in order.requests],
    }


def order_of(record: Json, skus: dict[Sku, Sku]) -> Order:
    """Return the order of a record; equal SKUs become one object, which ``skus`` holds."""
    links = [
        {name: line.pop(name) for name in ("cancellation", "package", "request")}
        for line in record["lines"]
    ]
    lines = [_line(line, skus) for line in record.pop("lines")]
    parts = {name: record.pop(name) for name in ("cancellations", "packages", "requests")}
    order = Order(**{**record, "buyer": Buyer(**record["buyer"])}, lines=lines)
    if order.status not in NEXT:
        raise ValueError(f"the status of the order is unknown: {order.status!r}")
    order.cancellations = [Cancellation(**_part(each, order)) for each in parts["cancellations"]]
    order.packages = [Package(**_part(each, order)) for each in parts["packages"]]
    order.requests = [Return(**_part(each, order)) for each in parts["requests"]]
    for line, link in zip(lines, links, strict=True):
        line.cancellation = _find(order.cancellations, link["cancellation"])
        line.package = _find(order.packages, link["package"])
        line.request = _find(order.requests, link["request"])
    return order


def _line_record(line: LineItem) -> Json:
    return {
        "id": line.id,
        "sku": _fields_of(line.sku),
        "paid": line.paid,
        "cancellation": line.cancellation and line.cancellation.id,
        "package": line.package and line.package.id,
        "request": line.request and line.request.id,
    }


def _line(record: Json, skus: dict[Sku, Sku]) -> LineItem:
    sku = Sku(**record.pop("sku"))
    return LineItem(**record, sku=skus.setdefault(sku, sku))


def _part_record(part: Cancellation | Package | Return) -> Json:
    """Return the record of a cancellation, package or return."""
    record = _fields_of(part, without=("order", "lines", "refund", "records"))
    record["lines"] = [line.id for line in part.lines]
    if isinstance(part, (Cancellation, Return)):
        record["refund"] = part.refund and _refund_record(part.refund)
    if isinstance(part, Return):
        record["records"] = [_fields_of(each) for each in part.records]
    return record


def _part(record: Json, order: Order) -> Json:
    """Return the arguments of the cancellation, package or return of a record."""
    arguments = {**record, "order": order, "lines": _lines(order, record["lines"])}
    if record.get("refund"):
        arguments["refund"] = _refund(record["refund"], order)
    if "records" in record:
        arguments["records"] = [Record(**each) for each in record["records"]]
    return arguments


def _refund_record(refund: Refund) -> Json:
    return {
        "shipping_fee": refund.shipping_fee,
        "shares": [[share.line.id, share.sub_total, share.tax] for share in refund.shares],
    }


def _refund(record: Json, order: Order) -> Refund:
    lines = _lines(order, [line_id for line_id, _, _ in record["shares"]])
    shares = [
        Share(line, sub_total, tax)
        for line, (_, sub_total, tax) in zip(lines, record["shares"], strict=True)
    ]
    return Refund(shares, record["shipping_fee"])


def _lines(order: Order, ids: Collection[str]) -> list[LineItem]:
    by_id = {line.id: line for line in order.lines}
    return [by_id[line_id] for line_id in ids]


def _find(parts: Collection[Any], part_id: str | None) -> Any:
    return next((part for part in parts if part.id == part_id), None)


def _fields_of(item: Any, *, without: Collection[str] = ()) -> Json:
    """Return the fields of an object, unchanged."""
    return {
        field.name: getattr(item, field.name)
        for field in attrs.fields(type(item))
        if field.name not in without
    }
