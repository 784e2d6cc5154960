"""The order to cancel, or the part of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, TypeAlias, TypeVar

import attrs

from ...errors import InvalidArgumentError
from ...models.return_refund import Sku

Skus: TypeAlias = Mapping[str, int] | Iterable[Sku | Mapping[str, Any]]
"""Units to cancel by SKU: ``{sku_id: quantity}``, or a list as `cancel_order` takes it."""

S = TypeVar("S", tuple[str, ...], dict[str, int])

_MAX_PART_LENGTH = 100
_FIELDS = ("order_id", "reason", "order_line_item_ids", "skus")


class _NoLineItems(tuple[str, ...]):
    """A marker: None was passed, not an empty selection."""

    __slots__ = ()


class _NoSkus(dict[str, int]):
    """A marker: None was passed, not an empty selection."""


def _id(value: str) -> str:
    """Return an id as text; convert an integer, as the arguments of operations do."""
    given: Any = value
    if isinstance(given, Integral) and not isinstance(given, bool):
        return str(int(given))
    return value


def _line_item_ids(ids: Iterable[str] | None) -> tuple[str, ...]:
    if ids is None or isinstance(ids, _NoLineItems):
        return _NoLineItems()
    if isinstance(ids, str):
        raise InvalidArgumentError(
            "order_line_item_ids must be an iterable of ids, not one text.",
            argument="order_line_item_ids",
        )
    return _not_empty("order_line_item_ids", tuple(dict.fromkeys(map(_id, ids))))


def _quantities(skus: Any) -> Mapping[str, int]:
    if skus is None or isinstance(skus, _NoSkus):
        return _NoSkus()
    if isinstance(skus, Mapping):
        return _not_empty("skus", {_id(sku_id): quantity for sku_id, quantity in skus.items()})
    quantities: Counter[str] = Counter()
    for given in skus:
        try:
            sku = given if isinstance(given, Sku) else Sku(**given)
            quantities[_id(sku.sku_id)] += sku.quantity
        except TypeError as error:
            raise InvalidArgumentError(
                "each entry of skus must have a sku_id and a quantity, and nothing else.",
                argument="skus",
            ) from error
    return _not_empty("skus", dict(quantities))


def _not_empty(argument: str, selection: S) -> S:
    """Return ``selection``; reject an empty one, which would cancel the whole order."""
    if selection:
        return selection
    raise InvalidArgumentError(
        f"{argument} must not be empty.",
        argument=argument,
        hint="Omit it to cancel the whole order.",
    )


@attrs.frozen
class OrderToCancel:
    """An order to cancel, or the part of it that its line items or SKUs select.

    The service accepts parts of orders in the US and the UK, for orders that are out of stock.
    """

    order_id: str = attrs.field(converter=_id)
    reason: str | None = None
    """Replaces the batch's reason: an intent such as ``"out_of_stock"``, or an exact name."""
    order_line_item_ids: tuple[str, ...] = attrs.field(default=None, converter=_line_item_ids)
    """The units to cancel; a line item is one unit."""
    skus: Mapping[str, int] = attrs.field(default=None, converter=_quantities)
    """The number of units to cancel by SKU, in place of line items."""

    def __attrs_post_init__(self) -> None:
        for name, ids in {
            "order_id": (self.order_id,),
            "order_line_item_ids": self.order_line_item_ids,
            "skus": tuple(self.skus),
        }.items():
            if not all(isinstance(each, str) and each for each in ids):
                raise InvalidArgumentError(
                    f"{name}: an id must be non-empty text or an integer, not {ids!r}.",
                    argument=name,
                )
        if any(not isinstance(quantity, int) or quantity < 1 for quantity in self.skus.values()):
            raise InvalidArgumentError(
                f"each quantity in skus of order {self.order_id} must be a positive integer.",
                argument="skus",
            )
        if self.skus and self.order_line_item_ids:
            raise InvalidArgumentError(
                f"order {self.order_id} has both skus and order_line_item_ids.",
                argument="skus",
                hint="Pass one of them, or neither to cancel the whole order.",
            )

    @classmethod
    def of(cls, given: str | Mapping[str, Any] | OrderToCancel) -> OrderToCancel:
        """Return the order that an id or a mapping of these fields describes."""
        if isinstance(given, OrderToCancel):
            return given
        if isinstance(given, (str, Integral)):
            return cls(given)
        if not isinstance(given, Mapping):
            raise InvalidArgumentError(
                "an order to cancel must be an id (text or an integer), an OrderToCancel or a "
                f"mapping of its fields, not {given!r}.",
                argument="orders",
            )
        unknown = given.keys() - set(_FIELDS)
        if unknown or "order_id" not in given:
            problem = (
                f"has unexpected fields: {', '.join(sorted(unknown))}"
                if unknown
                else "lacks the required order_id"
            )
            raise InvalidArgumentError(
                f"an order to cancel {problem}.",
                argument="orders",
                hint=f"Its fields are {', '.join(_FIELDS)}.",
            )
        return cls(**given)

    @property
    def is_whole(self) -> bool:
        """True if the whole order is to be cancelled."""
        return not self.order_line_item_ids and not self.skus

    @property
    def key(self) -> str:
        """The order's id and its part; equal for the same part in any order of its entries."""
        part = ",".join(sorted(self.order_line_item_ids)) or ",".join(
            f"{sku_id}*{quantity}" for sku_id, quantity in sorted(self.skus.items())
        )
        if len(part) > _MAX_PART_LENGTH:
            part = hashlib.sha256(part.encode()).hexdigest()[:32]
        return f"{self.order_id}:{part}" if part else self.order_id
