"""Which order, or which part of it, is to be cancelled."""

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

_LONGEST_PART = 100
_FIELDS = ("order_id", "reason", "order_line_item_ids", "skus")


class _NoLineItems(tuple[str, ...]):
    """Nothing was selected: None was given, not an empty selection."""

    __slots__ = ()


class _NoSkus(dict[str, int]):
    """Nothing was selected: None was given, not an empty selection."""


def _id(value: str) -> str:
    """Return an id as text. An integer is converted, as in the arguments of operations."""
    given: Any = value
    if isinstance(given, Integral) and not isinstance(given, bool):
        return str(int(given))
    return value


def _line_item_ids(ids: Iterable[str] | None) -> tuple[str, ...]:
    if ids is None or isinstance(ids, _NoLineItems):
        return _NoLineItems()
    if isinstance(ids, str):
        raise InvalidArgumentError(
            "order_line_item_ids is a text, not a list.", argument="order_line_item_ids"
        )
    return _not_empty("order_line_item_ids", tuple(dict.fromkeys(map(_id, ids))))


def _quantities(skus: Any) -> Mapping[str, int]:
    if skus is None or isinstance(skus, _NoSkus):
        return _NoSkus()
    if isinstance(skus, Mapping):
        return _not_empty("skus", {_id(sku_id): quantity for sku_id, quantity in skus.items()})
    wanted: Counter[str] = Counter()
    for given in skus:
        try:
            sku = given if isinstance(given, Sku) else Sku(**given)
            wanted[_id(sku.sku_id)] += sku.quantity
        except TypeError as error:
            raise InvalidArgumentError(
                "skus has something else than a sku_id and a quantity.", argument="skus"
            ) from error
    return _not_empty("skus", dict(wanted))


def _not_empty(argument: str, selection: S) -> S:
    """Return ``selection``; an empty one, a mistake, would cancel the whole order."""
    if selection:
        return selection
    raise InvalidArgumentError(
        f"{argument} must not be empty.",
        argument=argument,
        hint="Leave it out to cancel the whole order.",
    )


@attrs.frozen
class OrderToCancel:
    """An order to cancel; with line items or SKUs only that part of it.

    A part can be cancelled in the US and the UK, for lack of stock.
    """

    order_id: str = attrs.field(converter=_id)
    reason: str | None = None
    """In place of the batch's reason: an intent such as ``"out_of_stock"``, or an exact name."""
    order_line_item_ids: tuple[str, ...] = attrs.field(default=None, converter=_line_item_ids)
    """Units to cancel; each line item is one."""
    skus: Mapping[str, int] = attrs.field(default=None, converter=_quantities)
    """How many units of which SKU to cancel, in place of line items."""

    def __attrs_post_init__(self) -> None:
        for name, ids in {
            "order_id": (self.order_id,),
            "order_line_item_ids": self.order_line_item_ids,
            "skus": tuple(self.skus),
        }.items():
            if not all(isinstance(each, str) and each for each in ids):
                raise InvalidArgumentError(
                    f"{name}: an id must be text that is not empty, or an integer, not {ids!r}.",
                    argument=name,
                )
        if any(not isinstance(quantity, int) or quantity < 1 for quantity in self.skus.values()):
            raise InvalidArgumentError(
                f"skus of order {self.order_id} has a quantity below 1.", argument="skus"
            )
        if self.skus and self.order_line_item_ids:
            raise InvalidArgumentError(
                f"order {self.order_id} is given with skus and with line items.",
                argument="skus",
                hint="Give one of them, or none to cancel the whole order.",
            )

    @classmethod
    def of(cls, given: str | Mapping[str, Any] | OrderToCancel) -> OrderToCancel:
        """Return what an order id, or a mapping of these fields, stands for."""
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
            wrong = f"has {', '.join(sorted(unknown))}" if unknown else "has no order_id"
            raise InvalidArgumentError(
                f"an order to cancel {wrong}.",
                argument="orders",
                hint=f"It has {', '.join(_FIELDS)}.",
            )
        return cls(**given)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the order shall be left."""
        return not self.order_line_item_ids and not self.skus

    @property
    def key(self) -> str:
        """The order's id, and the part of it: equal for what is the same, in whatever order."""
        part = ",".join(sorted(self.order_line_item_ids)) or ",".join(
            f"{sku_id}*{quantity}" for sku_id, quantity in sorted(self.skus.items())
        )
        if len(part) > _LONGEST_PART:
            part = hashlib.sha256(part.encode()).hexdigest()[:32]
        return f"{self.order_id}:{part}" if part else self.order_id
