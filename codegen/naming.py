"""Names of classes: settled by hand, locked, or proposed by rule."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import attrs

from .catalogue import CATALOGUE, CatalogueError
from .text import pascal, singular

if TYPE_CHECKING:
    from .classes import Place

_VAGUE = {
    "data",
    "detail",
    "details",
    "info",
    "item",
    "items",
    "list",
    "result",
    "results",
    "content",
}
"""Field names that mean nothing without their parent's."""


@attrs.define(kw_only=True)
class Names:
    """What is settled about the names of one group."""

    group: str
    by_place: dict[str, str]
    by_fields: dict[str, str]
    by_operation: dict[str, str]
    locked: dict[str, str]
    used: set[str] = attrs.field(factory=set)

    def settled(self, place: Place) -> str | None:
        """Return the name that was chosen for ``place``, by hand or in an earlier run."""
        if place.key in self.by_place:
            self.used.add(place.key)
            return self.by_place[place.key]
        if place.path == ("response",) and place.operation.name in self.by_operation:
            self.used.add(place.operation.name)
            return self.by_operation[place.operation.name]
        fields = ",".join(sorted(place.node.fields))
        if fields in self.by_fields:
            self.used.add(fields)
            return self.by_fields[fields]
        return self.locked.get(place.key)

    def check_used(self) -> None:
        """Raise unless all that was settled by hand is there to be named."""
        unused = {*self.by_place, *self.by_operation} - self.used
        if unused:
            raise CatalogueError(
                f"catalogue/names/{self.group}.toml names what is not there: "
                + ", ".join(sorted(unused))
            )


def names_of(group: str, locked: dict[str, str]) -> Names:
    """Return the settled names of ``group``: its own, then those common to all groups."""
    common, own = _table("common"), _table(group)
    return Names(
        group=group,
        by_place=own.get("classes", {}),
        by_fields=common.get("shapes", {}) | own.get("shapes", {}),
        by_operation=own.get("data", {}),
        locked=locked,
    )


def _table(name: str) -> dict[str, dict[str, str]]:
    path = CATALOGUE / "names" / f"{name}.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def proposed_name(place: Place) -> str:
    """Return the name that an object's field suggests: one of ``line_items`` is a ``LineItem``."""
    field = place.path[-1]
    name = pascal(singular(field))
    if field in _VAGUE:
        above = _above(place)
        return above + name.removeprefix(above)
    return name


def _above(place: Place) -> str:
    if place.parent and place.parent.parent:
        return proposed_name(place.parent)
    return (
        data_name(place).removesuffix("Result")
        if place.side == "output"
        else pascal(place.operation.name)
    )


def data_name(place: Place) -> str:
    """Return the name of a whole answer.

    ``get_order_detail`` gives an ``OrderDetail``, a search of cancellations a ``CancellationPage``,
    anything else a result.
    """
    operation = place.operation
    if operation.pagination and operation.pagination["items"]:
        items = str(operation.pagination["items"][0]).rpartition(".")[2]
        return pascal(singular(items)) + "Page"
    verb, _, noun = operation.name.partition("_")
    name = pascal(noun) if verb in ("get", "list") else pascal(operation.name)
    # What only wraps the thing it is named after is no such thing.
    wraps = any(pascal(singular(field)) == name for field in place.node.fields)
    return f"{name}Result" if wraps or verb not in ("get", "list") else name
