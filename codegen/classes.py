"""Which objects of the catalogue are one class, and what that class is called.

Objects of one shape are one class. Objects that propose the same name in the same group are one
class too, the union of their fields, if they look like the same thing. If they do not, that is a
clash, which `names` must settle.
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

LONGEST_NAME = 40
RESERVED_NAMES = {
    "APIResponse", "Any", "FileInput", "FileResponse", "Literal", "Mapping", "NoData", "Operation",
    "Pager", "Paging", "PathLike", "RequestOptions", "Resource", "Sequence",
}  # fmt: skip
"""Names that the generated modules import."""
_LEAST_OVERLAP = 0.5
_FEWEST_FIELDS_ALIKE = 3


@attrs.define(kw_only=True)
class Place:
    """Where an object stands: ``get_order_detail.response.orders.line_items``."""

    operation: OperationFacts
    side: Side
    path: tuple[str, ...]
    """Place in the request or ``response``, then the names of the fields that lead to it."""
    node: Node
    parent: Place | None

    @property
    def key(self) -> str:
        """The place as text, as names are settled for it."""
        return ".".join((self.operation.name, *self.path))


@attrs.define(kw_only=True)
class ModelClass:
    """A class to generate."""

    group: str
    name: str
    side: Side
    places: list[Place]
    fields: dict[str, Node] = attrs.field(factory=dict)
    """By wire name: the union over all places."""
    parts: dict[str, ModelClass] = attrs.field(factory=dict)
    """Wire name of a field -> the class of its objects."""
    is_input: bool = False
    """Whether callers make it: its fields have the types of arguments."""

    @property
    def required(self) -> set[str]:
        """Wire names of the fields that must be given, whatever the version."""
        return {
            name for name, node in self.fields.items() if node.required and node.versions is None
        }


@attrs.define(kw_only=True)
class GroupClasses:
    """All classes of a group, and where each stands."""

    by_place: dict[str, ModelClass]
    """Key of a place -> its class; answers without fields have none."""
    chosen: dict[str, str]
    """Key of a place -> the name chosen for it, which an input class may have to extend."""
    classes: list[ModelClass]


class ClashError(CatalogueError):
    """Things that differ propose one name, and nothing settles which is which."""


def classes_of(group: str, operations: Iterable[OperationFacts], names: Names) -> GroupClasses:
    """Return the classes of a group; raises `ClashError`."""
    places = [place for operation in operations for place in _places(operation)]
    chosen: dict[str, str] = {}
    for side in ("output", "input"):
        chosen |= _chosen_names([place for place in places if place.side == side], names)
    merged = _merge(group, places, chosen, names)
    _share_between_sides(merged)
    by_place = {place.key: made for made in merged for place in made.places}
    kept = {id(made): made for made in by_place.values()}
    classes = sorted(kept.values(), key=lambda made: made.name)
    _check(group, classes)
    return GroupClasses(by_place=by_place, chosen=chosen, classes=classes)


def _places(operation: OperationFacts) -> Iterator[Place]:
    for name, node in operation.arguments["body"].items():
        yield from _objects(operation, "input", ("body", name), node, None)
    if operation.response:
        root = Node(name="data", python_name="data", type="object", fields=operation.response)
        yield from _objects(operation, "output", ("response",), root, None)


def _objects(
    operation: OperationFacts, side: Side, path: tuple[str, ...], node: Node, parent: Place | None
) -> Iterator[Place]:
    element = node.element
    if not element.is_class:
        return
    place = Place(operation=operation, side=side, path=path, node=element, parent=parent)
    yield place
    for name, child in element.fields.items():
        yield from _objects(operation, side, (*path, name), child, place)


def shape(node: Node) -> Shape:
    """Return what two objects must have in common to be of one shape."""
    if node.items:
        return ("list", shape(node.items))
    if node.is_class:
        return tuple(
            (name, child.required, shape(child)) for name, child in sorted(node.fields.items())
        )
    return node.type


def _chosen_names(places: list[Place], names: Names) -> dict[str, str]:
    """Return the class name of each place: settled, or by rule; equal shapes share one."""
    by_shape: dict[object, list[Place]] = defaultdict(list)
    for place in places:
        # Few fields make no likeness: a brand and a category may both be just id and name.
        few = len(place.node.fields) < _FEWEST_FIELDS_ALIKE
        by_shape[shape(place.node), _by_rule([place]) if few else None].append(place)
    chosen: dict[str, str] = {}
    for alike in by_shape.values():
        settled = {name for place in alike if (name := names.settled(place))}
        if len(settled) > 1:  # the settlement sets equal shapes apart on purpose
            chosen |= {place.key: names.settled(place) or _by_rule([place]) for place in alike}
        else:
            name = settled.pop() if settled else _by_rule(alike)
            chosen |= {place.key: name for place in alike}
    return chosen


def _by_rule(places: list[Place]) -> str:
    proposals = Counter(
        proposed_name(place) if place.parent or place.side == "input" else data_name(place)
        for place in places
    )
    return min(proposals, key=lambda name: (-proposals[name], len(name), name))


def _merge(
    group: str, places: list[Place], chosen: dict[str, str], names: Names
) -> list[ModelClass]:
    by_name: dict[tuple[Side, str], list[Place]] = defaultdict(list)
    for place in places:
        by_name[place.side, chosen[place.key]].append(place)
    made: dict[tuple[Side, str], ModelClass] = {}
    for (side, name), alike in by_name.items():
        _refuse_strangers(group, name, alike, names)
        made[side, name] = ModelClass(
            group=group, name=name, side=side, places=alike, is_input=side == "input"
        )
    class_of = {place.key: model for model in made.values() for place in model.places}
    for model in made.values():
        _fill(model, class_of)
    return list(made.values())


def _refuse_strangers(group: str, name: str, places: list[Place], names: Names) -> None:
    """Raise `ClashError` unless each shape goes with the largest, or was put there by hand."""
    shapes: dict[Shape, Place] = {}
    for place in places:
        if names.settled(place):
            shapes[shape(place.node)] = place
        else:
            shapes.setdefault(shape(place.node), place)
    largest = max(shapes.values(), key=lambda place: len(place.node.fields))
    for place in shapes.values():
        conflict = conflicting_field(largest.node, place.node)
        if conflict:
            reason = f"their {conflict} differ"
        elif not names.settled(place) and not _overlap(largest.node, place.node):
            reason = "they share too little"
        else:
            continue
        raise ClashError(
            f"{group}: two things are called {name}, and {reason}:\n"
            f"  {largest.key}: {', '.join(largest.node.fields)}\n"
            f"  {place.key}: {', '.join(place.node.fields)}\n"
            f"  Name one of them in catalogue/names/{group}.toml."
        )


def conflicting_field(one: Node, other: Node) -> str | None:
    """Return the first field that both have with types that do not go together."""
    for name in sorted(one.fields.keys() & other.fields.keys()):
        mine, theirs = one.fields[name], other.fields[name]
        if _depth(mine) != _depth(theirs) or mine.element.type != theirs.element.type:
            return name
    return None


def _depth(node: Node) -> int:
    return 1 + _depth(node.items) if node.items else 0


def _overlap(one: Node, other: Node) -> bool:
    shared = len(one.fields.keys() & other.fields.keys())
    return shared >= _LEAST_OVERLAP * min(len(one.fields), len(other.fields))


def _fill(model: ModelClass, class_of: dict[str, ModelClass]) -> None:
    everywhere = len(model.places)
    seen: Counter[str] = Counter()
    # Fields stay in the order of the documents; that of lists goes first, whose answers are long.
    for place in sorted(model.places, key=lambda place: place.operation.pagination is None):
        for name, node in place.node.fields.items():
            seen[name] += 1
            known = model.fields.get(name)
            model.fields[name] = _united(known, node) if known else node
            part = class_of.get(f"{place.key}.{name}")
            if part and model.parts.setdefault(name, part) is not part:
                other = model.parts[name].name
                raise ClashError(
                    f"{model.group}: {model.name}.{name} is a {other} in one place "
                    f"and a {part.name} in {place.key}; name them alike, or their parents apart."
                )
    model.fields = {
        name: node if seen[name] == everywhere else attrs.evolve(node, required=False)
        for name, node in model.fields.items()
    }


def _united(one: Node, other: Node) -> Node:
    """Return the union of what two places say about one field."""
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
    """Let input classes that equal an output class be that class, and rename those that do not."""
    outputs = {model.name: model for model in models if model.side == "output"}
    replaced: dict[int, ModelClass] = {}

    def shared(model: ModelClass) -> ModelClass:
        if id(model) not in replaced:
            twin = outputs.get(model.name)
            parts = {name: shared(part) for name, part in model.parts.items()}
            same = twin is not None and not model.required and _same_fields(model, twin, parts)
            if twin is not None and same:
                twin.places += model.places
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
            raise ClashError(f"{group}: two classes are called {made.name}")
        if made.name in RESERVED_NAMES or hasattr(builtins, made.name):
            raise ClashError(f"{group}: {made.name} means something else; settle another name.")
        if len(made.name) > LONGEST_NAME:
            raise ClashError(
                f"{group}: the name {made.name} is longer than {LONGEST_NAME} letters; "
                f"settle a shorter one for {made.places[0].key}."
            )
