"""Classes made from the objects of the catalogue.

Objects of the same shape become one class. Objects of one group that propose the same name become
one class with the union of their fields if they are similar enough. Otherwise the names clash, and
``catalogue/names/`` must settle them.
"""

from __future__ import annotations

import builtins
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal

import attrs

from .catalogue import CatalogueError, Node, OperationFacts
from .naming import Names, data_name, proposed_name

Side = Literal["input", "output"]
Shape = tuple[object, ...] | str

MAX_NAME_LENGTH = 40
RESERVED_NAMES = {
    "APIResponse", "Any", "FileInput", "FileResponse", "Literal", "Mapping", "NoData", "Operation",
    "Pager", "Paging", "PathLike", "RequestOptions", "Resource", "Sequence",
}  # fmt: skip
"""Names that the generated modules import."""
_MIN_OVERLAP = 0.5
_MIN_FIELDS_TO_MATCH = 3


@attrs.define(kw_only=True)
class Occurrence:
    """An object at one path, such as ``get_order_detail.response.orders.line_items``."""

    operation: OperationFacts
    side: Side
    path: tuple[str, ...]
    """Location in the request or ``response``, then the fields that lead to the object."""
    node: Node
    parent: Occurrence | None

    @property
    def key(self) -> str:
        """The path as text, as the tables of names use it."""
        return ".".join((self.operation.name, *self.path))


@attrs.define(kw_only=True)
class ModelClass:
    """A class to generate."""

    group: str
    name: str
    side: Side
    occurrences: list[Occurrence]
    fields: dict[str, Node] = attrs.field(factory=dict)
    """Wire name -> field, as the union over all occurrences."""
    parts: dict[str, ModelClass] = attrs.field(factory=dict)
    """Wire name of a field -> the class of its objects."""
    is_input: bool = False
    """Whether callers create it, so that its fields have the types of arguments."""

    @property
    def required(self) -> set[str]:
        """Wire names of the fields that every version requires."""
        return {
            name for name, node in self.fields.items() if node.required and node.versions is None
        }


@attrs.define(kw_only=True)
class GroupClasses:
    """All classes of a group."""

    by_key: dict[str, ModelClass]
    """Key of an occurrence -> its class; responses without fields have none."""
    chosen: dict[str, str]
    """Key of an occurrence -> its chosen name; some input classes append ``Input`` to it."""
    classes: list[ModelClass]


class ClashError(CatalogueError):
    """One name for different objects that no table of names settles."""


def classes_of(group: str, operations: Iterable[OperationFacts], names: Names) -> GroupClasses:
    """Return the classes of a group, or raise `ClashError`."""
    occurrences = [occurrence for operation in operations for occurrence in _occurrences(operation)]
    chosen: dict[str, str] = {}
    for side in ("output", "input"):
        chosen |= _chosen_names(
            [occurrence for occurrence in occurrences if occurrence.side == side], names
        )
    merged = _merge(group, occurrences, chosen, names)
    _share_between_sides(merged)
    by_key = {occurrence.key: made for made in merged for occurrence in made.occurrences}
    kept = {id(made): made for made in by_key.values()}
    classes = sorted(kept.values(), key=lambda made: made.name)
    _check(group, classes)
    return GroupClasses(by_key=by_key, chosen=chosen, classes=classes)


def _occurrences(operation: OperationFacts) -> Iterator[Occurrence]:
    for name, node in operation.arguments["body"].items():
        yield from _objects(operation, "input", ("body", name), node, None)
    if operation.response:
        root = Node(name="data", python_name="data", type="object", fields=operation.response)
        yield from _objects(operation, "output", ("response",), root, None)


def _objects(
    operation: OperationFacts,
    side: Side,
    path: tuple[str, ...],
    node: Node,
    parent: Occurrence | None,
) -> Iterator[Occurrence]:
    element = node.element
    if not element.is_class:
        return
    occurrence = Occurrence(operation=operation, side=side, path=path, node=element, parent=parent)
    yield occurrence
    for name, child in element.fields.items():
        yield from _objects(operation, side, (*path, name), child, occurrence)


def shape(node: Node) -> Shape:
    """Return the names, types and required flags by which two objects are compared."""
    if node.items:
        return ("list", shape(node.items))
    if node.is_class:
        return tuple(
            (name, child.required, shape(child)) for name, child in sorted(node.fields.items())
        )
    return node.type


def _chosen_names(occurrences: list[Occurrence], names: Names) -> dict[str, str]:
    """Return the class name of each occurrence, settled or by rule; equal shapes share one."""
    by_shape: dict[object, list[Occurrence]] = defaultdict(list)
    for occurrence in occurrences:
        # With few fields, equal shapes may differ in meaning: brand and category are id and name.
        few = len(occurrence.node.fields) < _MIN_FIELDS_TO_MATCH
        by_shape[shape(occurrence.node), _proposed_by_rule([occurrence]) if few else None].append(
            occurrence
        )
    chosen: dict[str, str] = {}
    for members in by_shape.values():
        settled = {name for occurrence in members if (name := names.settled(occurrence))}
        if len(settled) > 1:  # the tables separate equal shapes on purpose
            chosen |= {
                occurrence.key: names.settled(occurrence) or _proposed_by_rule([occurrence])
                for occurrence in members
            }
        else:
            name = settled.pop() if settled else _proposed_by_rule(members)
            chosen |= {occurrence.key: name for occurrence in members}
    return chosen


def _proposed_by_rule(occurrences: list[Occurrence]) -> str:
    proposals = Counter(
        proposed_name(occurrence)
        if occurrence.parent or occurrence.side == "input"
        else data_name(occurrence)
        for occurrence in occurrences
    )
    return min(proposals, key=lambda name: (-proposals[name], len(name), name))


def _merge(
    group: str, occurrences: list[Occurrence], chosen: dict[str, str], names: Names
) -> list[ModelClass]:
    by_name: dict[tuple[Side, str], list[Occurrence]] = defaultdict(list)
    for occurrence in occurrences:
        by_name[occurrence.side, chosen[occurrence.key]].append(occurrence)
    made: dict[tuple[Side, str], ModelClass] = {}
    for (side, name), members in by_name.items():
        _reject_mismatches(group, name, members, names)
        made[side, name] = ModelClass(
            group=group, name=name, side=side, occurrences=members, is_input=side == "input"
        )
    class_of = {
        occurrence.key: model for model in made.values() for occurrence in model.occurrences
    }
    for model in made.values():
        _add_fields(model, class_of)
    return list(made.values())


def _reject_mismatches(group: str, name: str, occurrences: list[Occurrence], names: Names) -> None:
    """Raise `ClashError` unless each shape resembles the largest one or has a settled name."""
    shapes: dict[Shape, Occurrence] = {}
    for occurrence in occurrences:
        if names.settled(occurrence):
            shapes[shape(occurrence.node)] = occurrence
        else:
            shapes.setdefault(shape(occurrence.node), occurrence)
    largest = max(shapes.values(), key=lambda occurrence: len(occurrence.node.fields))
    for occurrence in shapes.values():
        conflict = conflicting_field(largest.node, occurrence.node)
        if conflict:
            reason = f"the types of their field {conflict} differ"
        elif not names.settled(occurrence) and not _overlap(largest.node, occurrence.node):
            reason = "they share too few fields"
        else:
            continue
        raise ClashError(
            f"{group}: two different objects are named {name}, and {reason}:\n"
            f"  {largest.key}: {', '.join(largest.node.fields)}\n"
            f"  {occurrence.key}: {', '.join(occurrence.node.fields)}\n"
            f"  Name one of them in catalogue/names/{group}.toml."
        )


def conflicting_field(one: Node, other: Node) -> str | None:
    """Return the first field that both objects have with incompatible types."""
    for name in sorted(one.fields.keys() & other.fields.keys()):
        mine, theirs = one.fields[name], other.fields[name]
        if _depth(mine) != _depth(theirs) or mine.element.type != theirs.element.type:
            return name
    return None


def _depth(node: Node) -> int:
    return 1 + _depth(node.items) if node.items else 0


def _overlap(one: Node, other: Node) -> bool:
    shared = len(one.fields.keys() & other.fields.keys())
    return shared >= _MIN_OVERLAP * min(len(one.fields), len(other.fields))


def _add_fields(model: ModelClass, class_of: dict[str, ModelClass]) -> None:
    everywhere = len(model.occurrences)
    seen: Counter[str] = Counter()
    # Fields keep the documented order; paged operations come first, as their responses are long.
    for occurrence in sorted(
        model.occurrences, key=lambda occurrence: occurrence.operation.pagination is None
    ):
        for name, node in occurrence.node.fields.items():
            seen[name] += 1
            known = model.fields.get(name)
            model.fields[name] = _union(known, node) if known else node
            part = class_of.get(f"{occurrence.key}.{name}")
            if part and model.parts.setdefault(name, part) is not part:
                other = model.parts[name].name
                raise ClashError(
                    f"{model.group}: {model.name}.{name} is a {other} in one occurrence and a "
                    f"{part.name} in {occurrence.key}. "
                    "Give both the same name, or their parents different names."
                )
    model.fields = {
        name: node if seen[name] == everywhere else attrs.evolve(node, required=False)
        for name, node in model.fields.items()
    }


def _union(one: Node, other: Node) -> Node:
    """Return the union of two occurrences of one field."""
    facts = {**other.facts, **one.facts}
    if "enum" in one.facts or "enum" in other.facts:
        facts["enum"] = [*dict.fromkeys([*one.facts.get("enum", []), *other.facts.get("enum", [])])]
    if not (one.facts.get("deprecated") and other.facts.get("deprecated")):
        facts.pop("deprecated", None)
    return attrs.evolve(
        one,
        required=one.required and other.required,
        versions=one.versions if one.versions == other.versions else None,
        facts=facts,
    )


def _share_between_sides(models: list[ModelClass]) -> None:
    """Replace input classes by equal output classes, and rename those with a different namesake."""
    outputs = {model.name: model for model in models if model.side == "output"}
    replaced: dict[int, ModelClass] = {}

    def shared(model: ModelClass) -> ModelClass:
        if id(model) not in replaced:
            twin = outputs.get(model.name)
            parts = {name: shared(part) for name, part in model.parts.items()}
            same = twin is not None and not model.required and _same_fields(model, twin, parts)
            if twin is not None and same:
                twin.occurrences += model.occurrences
                replaced[id(model)] = twin
            else:
                model.parts = parts
                model.name += "Input" if twin else ""
                replaced[id(model)] = model
        return replaced[id(model)]

    inputs = [model for model in models if model.side == "input"]
    kept = {id(shared(model)): shared(model) for model in inputs}
    models[:] = [*outputs.values(), *(model for model in kept.values() if model.is_input)]


def _same_fields(model: ModelClass, twin: ModelClass, parts: dict[str, ModelClass]) -> bool:
    return (
        model.fields.keys() == twin.fields.keys()
        and all(parts.get(name) is twin.parts.get(name) for name in model.fields)
        and all(_kind(node) == _kind(twin.fields[name]) for name, node in model.fields.items())
    )


def _kind(node: Node) -> tuple[object, ...]:
    return _depth(node), node.element.type, node.facts.get("format")


def _check(group: str, classes: list[ModelClass]) -> None:
    counts = Counter(made.name for made in classes)
    for made in classes:
        if counts[made.name] > 1:
            raise ClashError(f"{group}: two classes are named {made.name}.")
        where = f"{made.occurrences[0].key} in catalogue/names/{group}.toml"
        if made.name in RESERVED_NAMES or hasattr(builtins, made.name):
            raise ClashError(f"{group}: the name {made.name} is reserved. Rename {where}.")
        if len(made.name) > MAX_NAME_LENGTH:
            raise ClashError(
                f"{group}: the name {made.name} is longer than {MAX_NAME_LENGTH} characters. "
                f"Rename {where}."
            )
