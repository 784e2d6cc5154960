"""What the plays of several nouns read alike from a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import TypeVar

from ..arguments import Arguments
from ..domain.aftersales.rules import Selection
from ..domain.shop import Shop
from ..error_responses import invalid
from ..http.gateway import AdmittedCall
from .paging import D

T = TypeVar("T")

_LONGEST_AMOUNT = 12
"""Digits of an amount; our choice."""


def shop_of(call: AdmittedCall) -> Shop:
    """Return the shop that a call is about."""
    assert call.shop is not None, f"{call.operation.id} is an operation of a shop"
    return call.shop


def within_times(items: Iterable[D], body: Arguments) -> Iterable[D]:
    """Return what the time filters let through: from ``ge`` on, before ``lt`` or up to ``le``."""
    for field in ("create_time", "update_time"):
        time_of: Callable[[D], int] = attrgetter(field)
        from_, before, last = (body.integer(f"{field}_{end}") for end in ("ge", "lt", "le"))
        if from_ is not None:
            items = [item for item in items if time_of(item) >= from_]
        if before is not None:
            items = [item for item in items if time_of(item) < before]
        if last is not None:
            items = [item for item in items if time_of(item) <= last]
    return items


def in_lists(
    items: Iterable[T], body: Arguments, read: Mapping[str, Callable[[T], str]]
) -> Iterable[T]:
    """Return what filters that are lists let through: what is read must be in each list given."""
    for name, value_of in read.items():
        values = frozenset(body.texts(name))
        if values:
            items = [item for item in items if value_of(item) in values]
    return items


def selection_of(body: Arguments) -> Selection:
    """Return which line items of an order a body means."""
    lines = body.objects("order_line_list")
    if any(line.text("sub_order_line_item_id") for line in lines):
        raise invalid("The order has no bundles, so no sub_order_line_item_id can be given.")
    ids = [*body.texts("order_line_item_ids")]
    ids += [line.required_text("order_line_item_id") for line in lines]
    quantities: dict[str, int] = {}
    for sku in body.objects("skus"):
        sku_id = sku.required_text("sku_id")
        quantities[sku_id] = quantities.get(sku_id, 0) + sku.required_integer("quantity")
    return Selection(ids, quantities)


def amount_of(given: Arguments, name: str, shop: Shop) -> int | None:
    """Return the cents of an amount in the shop's currency; None if there is no amount."""
    text = given.text(name)
    if not text:
        return None
    currency = given.text("currency") or shop.currency
    if currency != shop.currency:
        raise invalid(f"The parameter currency must be {shop.currency}.")
    whole, _, part = text.partition(".")
    digits = whole + part.ljust(2, "0")
    fits = digits.isascii() and digits.isdecimal() and len(digits) <= _LONGEST_AMOUNT
    if not whole or len(part) > 2 or not fits:
        raise invalid(f"The parameter {name} must be an amount with at most two decimals.")
    return int(digits)
