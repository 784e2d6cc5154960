"""Values that several handlers read from a call in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import TypeVar

from ..domain.aftersales.eligibility import Selection
from ..domain.shop import Shop
from ..error_responses import invalid
from ..inputs.amounts import parse_amount
from ..inputs.arguments import Arguments
from .paging import D

T = TypeVar("T")


def within_times(items: Iterable[D], body: Arguments) -> Iterable[D]:
    """Return the items that match the time filters: from ``ge``, before ``lt``, up to ``le``."""
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
    items: Iterable[T], body: Arguments, getters: Mapping[str, Callable[[T], str]]
) -> Iterable[T]:
    """Return the items that match the list filters of a body.

    Args:
        items: The items to filter.
        body: The body with the filters; a missing or empty list matches everything.
        getters: Name of a filter -> function that returns the value to look for in its list.
    """
    for name, value_of in getters.items():
        values = frozenset(body.texts(name))
        if values:
            items = [item for item in items if value_of(item) in values]
    return items


def selection_of(body: Arguments) -> Selection:
    """Return the selection of an order's line items in a body."""
    lines = body.objects("order_line_list")
    if any(line.text("sub_order_line_item_id") for line in lines):
        raise invalid("Unexpected sub_order_line_item_id: the order has no bundles.")
    ids = [*body.texts("order_line_item_ids")]
    ids += [line.required_text("order_line_item_id") for line in lines]
    quantities: dict[str, int] = {}
    for sku in body.objects("skus"):
        sku_id = sku.required_text("sku_id")
        quantities[sku_id] = quantities.get(sku_id, 0) + sku.required_integer("quantity")
    return Selection(ids, quantities)


def amount_of(given: Arguments, name: str, shop: Shop) -> int | None:
    """Return the cents of an amount in the shop's currency; None if it is missing."""
    text = given.text(name)
    if not text:
        return None
    currency = given.text("currency") or shop.currency
    if currency != shop.currency:
        raise invalid(f"The parameter currency must be {shop.currency}.")
    cents = parse_amount(text)
    if cents is None:
        raise invalid(f"The parameter {name} must be an amount with at most two decimals.")
    return cents
