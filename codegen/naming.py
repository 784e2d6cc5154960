"""Class names: settled by hand, locked by an earlier run, or proposed by rule."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import attrs

from .catalogue import CATALOGUE, CatalogueError
from .text import pascal, singular

if TYPE_CHECKING:
    from .classes import Occurrence

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
"""Field names that are too vague for a class without the name of their parent."""


@attrs.define(kw_only=True)
class Names:
    """The settled class names of one group."""

    group: str
    by_key: dict[str, str]
    by_fields: dict[str, str]
    by_operation: dict[str, str]
    locked: dict[str, str]
    used: set[str] = attrs.field(factory=set)

    def settled(self, occurrence: Occurrence) -> str | None:
        """Return the name of ``occurrence`` that the tables or the lock hold, or None."""
        if occurrence.key in self.by_key:
            self.used.add(occurrence.key)
            return self.by_key[occurrence.key]
        if occurrence.path == ("response",) and occurrence.operation.name in self.by_operation:
            self.used.add(occurrence.operation.name)
            return self.by_operation[occurrence.operation.name]
        fields = ",".join(sorted(occurrence.node.fields))
        if fields in self.by_fields:
            self.used.add(fields)
            return self.by_fields[fields]
        return self.locked.get(occurrence.key)

    def check_used(self) -> None:
        """Raise `CatalogueError` for names of occurrences that do not exist."""
        unused = {*self.by_key, *self.by_operation} - self.used
        if unused:
            raise CatalogueError(
                f"catalogue/names/{self.group}.toml has names for unknown objects: "
                + ", ".join(sorted(unused))
            )


def names_of(group: str, locked: dict[str, str]) -> Names:
    """Return the settled names of ``group``; its own take precedence over the common ones."""
    common, own = _table("common"), _table(group)
    return Names(
        group=group,
        by_key=own.get("classes", {}),
        by_fields=common.get("shapes", {}) | own.get("shapes", {}),
        by_operation=own.get("data", {}),
        locked=locked,
    )


def _table(name: str) -> dict[str, dict[str, str]]:
    path = CATALOGUE / "names" / f"{name}.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def proposed_name(occurrence: Occurrence) -> str:
    """Return a class name from the object's field: ``line_items`` holds a ``LineItem``."""
    field = occurrence.path[-1]
    name = pascal(singular(field))
    if field in _VAGUE:
        above = _above(occurrence)
        return above + name.removeprefix(above)
    return name


def _above(occurrence: Occurrence) -> str:
    if occurrence.parent and occurrence.parent.parent:
        return proposed_name(occurrence.parent)
    return (
        data_name(occurrence).removesuffix("Result")
        if occurrence.side == "output"
        else pascal(occurrence.operation.name)
    )


def data_name(occurrence: Occurrence) -> str:
    """Return the class name of an operation's response data.

    ``get_order_detail`` returns an ``OrderDetail``, a paged search of cancellations a
    ``CancellationPage``, and any other operation a class that ends in ``Result``.
    """
    operation = occurrence.operation
    if operation.pagination and operation.pagination["items"]:
        items = str(operation.pagination["items"][0]).rpartition(".")[2]
        return pascal(singular(items)) + "Page"
    verb, _, noun = operation.name.partition("_")
    name = pascal(noun) if verb in ("get", "list") else pascal(operation.name)
    # An object that only wraps the field it is named after needs a different name.
    wraps = any(pascal(singular(field)) == name for field in occurrence.node.fields)
    return f"{name}Result" if wraps or verb not in ("get", "list") else name
