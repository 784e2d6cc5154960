"""The catalogue as attrs objects, with the overrides applied."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from .text import identifier

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "catalogue"

EVENTS = "webhook"
"""The name of the events' group in the tables of names and wording."""

_FORM = "multipart/form-data"


class CatalogueError(Exception):
    """An inconsistency in the catalogue, its overrides, names or wording."""


@attrs.define(kw_only=True)
class Node:
    """A field: its type and the facts known about it."""

    name: str
    python_name: str
    type: str
    items: Node | None = None
    fields: dict[str, Node] = attrs.field(factory=dict)
    required: bool = False
    versions: tuple[str, ...] | None = None
    """The versions that have the field; None for all."""
    example: Any = None
    facts: dict[str, Any] = attrs.field(factory=dict)
    """Enum, format, limits and similar facts, with the catalogue's keys."""

    def walk(self) -> Iterator[Node]:
        """Yield the node and all below it."""
        yield self
        for child in (*self.fields.values(), *([self.items] if self.items else [])):
            yield from child.walk()

    @property
    def element(self) -> Node:
        """The node itself, or the innermost element of its lists."""
        return self.items.element if self.items else self

    @property
    def is_class(self) -> bool:
        """Whether the objects of this node get a generated class."""
        return self.type == "object" and bool(self.fields)


@attrs.define(kw_only=True)
class Argument:
    """An argument of a method, sent in one or more locations of the request."""

    name: str
    node: Node
    locations: dict[str, str]
    """Location -> wire name there."""
    required: bool

    def versions(self, operation: OperationFacts) -> tuple[str, ...] | None:
        """Return the versions of ``operation`` that have the argument; None for all."""
        found = set()
        for location, wire in self.locations.items():
            versions = operation.arguments[location][wire].versions
            if versions is None:
                return None
            found |= set(versions)
        return None if found >= set(operation.versions) else tuple(sorted(found))


@attrs.define(kw_only=True)
class OperationFacts:
    """An operation: its endpoint, arguments and response."""

    group: str
    name: str
    method: str
    path: str
    versions: tuple[str, ...]
    docs: dict[str, str]
    effect: str
    cipher: str | None
    content_type: str | None
    idempotency_key: str | None
    pagination: dict[str, Any] | None
    download: str | None
    arguments: dict[str, dict[str, Node]]
    """Location (``path``, ``query``, ``body``) -> wire name -> node."""
    response: dict[str, Node]

    @property
    def id(self) -> str:
        """``group.name``."""
        return f"{self.group}.{self.name}"

    def all_nodes(self) -> Iterator[Node]:
        """Yield all nodes of the arguments and the response, nested ones included."""
        for nodes in (*self.arguments.values(), self.response):
            for node in nodes.values():
                yield from node.walk()

    def all_arguments(self) -> list[Argument]:
        """Return the arguments of a method: path arguments, then required, then optional ones."""
        found: dict[str, Argument] = {}
        for location, nodes in self.arguments.items():
            for wire, node in nodes.items():
                required = location == "path" or (node.required and node.versions is None)
                argument = found.setdefault(
                    node.python_name,
                    Argument(name=node.python_name, node=node, locations={}, required=required),
                )
                argument.locations[location] = wire
        return sorted(
            found.values(), key=lambda one: ("path" not in one.locations, not one.required)
        )


@attrs.define(kw_only=True)
class EventFacts:
    """An event; its data is described like the response of an operation."""

    number: int
    event_type: str | None
    operation: OperationFacts

    @property
    def name(self) -> str:
        """The catalogue's name of the event, such as ``order_status_change``."""
        return self.operation.name


def load() -> list[OperationFacts]:
    """Return all operations, in the order of the catalogue."""
    overrides = tomllib.loads((CATALOGUE / "overrides.toml").read_text())
    corrections = {entry["operation"]: entry for entry in overrides["correction"]}
    for operation, entry in corrections.items():
        if not entry.get("reason"):
            raise CatalogueError(f"the override of {operation} has no reason")
    found = []
    for group, raw in _raw_operations():
        correction = corrections.pop(f"{group}.{raw['name']}", {})
        found.append(_operation(group, raw, correction))
    if corrections:
        raise CatalogueError(f"overrides name unknown operations: {', '.join(corrections)}")
    for doubt in overrides.get("doubt", []):
        _drop_doubtful_facts(found, doubt)
    for fact in overrides.get("fact", []):
        _add_missing_fact(found, fact)
    return found


def _drop_doubtful_facts(operations: list[OperationFacts], doubt: dict[str, Any]) -> None:
    """Drop facts that cannot be right: no information is better than wrong information."""
    dropped = [
        node.facts.pop(doubt["fact"])
        for operation in operations
        if operation.group == doubt["group"]
        for node in operation.all_nodes()
        if node.name in doubt["fields"] and doubt["fact"] in node.facts
    ]
    if not dropped or not doubt.get("reason"):
        raise CatalogueError(f"a doubt has no effect or no reason: {doubt}")


def _add_missing_fact(operations: list[OperationFacts], fact: dict[str, Any]) -> None:
    """Add the format of arguments for which the catalogue has only an example."""
    matching = [
        node
        for operation in operations
        if operation.group == fact["group"]
        for nodes in operation.arguments.values()
        for argument in nodes.values()
        for node in argument.walk()
        if node.name in fact["fields"] and node.type == fact["type"] and "format" not in node.facts
    ]
    if not fact.get("reason") or {node.name for node in matching} != set(fact["fields"]):
        raise CatalogueError(f"a fact has no effect or no reason: {fact}")
    for node in matching:
        node.facts["format"] = fact["format"]


def load_webhooks() -> list[dict[str, Any]]:
    """Return the catalogue's facts about all webhooks."""
    path = CATALOGUE / "webhooks.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["webhooks"]
    return found


def load_events() -> list[EventFacts]:
    """Return all events in the order of their numbers."""
    found = [
        EventFacts(
            number=int(raw["type"]),
            event_type=raw["event_type"],
            operation=OperationFacts(
                group=EVENTS,
                name=raw["name"],
                method="POST",
                path="",
                versions=(),
                docs={},
                effect="read",
                cipher=None,
                content_type=None,
                idempotency_key=None,
                pagination=None,
                download=None,
                arguments={"body": {}},
                response=_nodes(raw["data"]),
            ),
        )
        for raw in load_webhooks()
    ]
    return sorted(found, key=lambda event: event.number)


def groups() -> list[str]:
    """Return the names of the groups, sorted."""
    return sorted(path.stem for path in (CATALOGUE / "operations").glob("*.json"))


def fingerprint() -> str:
    """Return a hash of the catalogue's facts."""
    digest = hashlib.sha256()
    for path in [*sorted((CATALOGUE / "operations").glob("*.json")), CATALOGUE / "webhooks.json"]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _raw_operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for group in groups():
        document = json.loads((CATALOGUE / "operations" / f"{group}.json").read_text())
        for raw in sorted(document["operations"], key=lambda raw: str(raw["name"])):
            yield group, raw


def _operation(group: str, raw: dict[str, Any], correction: dict[str, Any]) -> OperationFacts:
    auth, renames = raw["auth"], correction.get("arguments", {})
    operation = OperationFacts(
        group=group,
        name=raw["name"],
        method=raw["method"],
        path=raw["path"],
        versions=tuple(raw["versions"]),
        docs=raw["docs"],
        effect=raw["effect"],
        cipher=next(
            (name for name in ("shop_cipher", "category_asset_cipher") if auth[name]), None
        ),
        content_type=raw["content_type"],
        idempotency_key=raw.get("idempotency_key"),
        pagination=_pagination(raw, correction),
        download=correction.get("download"),
        arguments={
            "path": _nodes(raw["path_params"], renames),
            "query": _nodes(raw["query"], renames),
            "body": _nodes(
                raw["body"] if raw["content_type"] == _FORM else _without_files(raw["body"]),
                renames,
            ),
        },
        response=_nodes(raw["response"]),
    )
    for path in correction.get("refuse_empty", ()):
        _mark_non_empty(operation, path)
    return operation


def _mark_non_empty(operation: OperationFacts, path: str) -> None:
    """Mark an optional list that must not be empty, since the service could take it for "all"."""
    location, _, name = path.partition(".")
    node = operation.arguments.get(location, {}).get(name)
    if node is None or not node.items or node.required:
        raise CatalogueError(f"{operation.id}: {path} must be an optional list")
    node.facts["min_items"] = 1


def _without_files(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a JSON body, where a documented ``file`` is an object."""
    changed = {}
    for name, raw in fields.items():
        changed[name] = {**raw, "type": "object"} if raw["type"] == "file" else dict(raw)
        if "fields" in raw:
            changed[name]["fields"] = _without_files(raw["fields"])
        if "items" in raw:
            changed[name]["items"] = _without_files({"": raw["items"]})[""]
    return changed


def _pagination(raw: dict[str, Any], correction: dict[str, Any]) -> dict[str, Any] | None:
    facts = raw.get("pagination")
    return facts and {**facts, **correction.get("pagination", {})}


def _nodes(fields: dict[str, Any], renames: dict[str, str] | None = None) -> dict[str, Node]:
    return {
        name: _node(name, (renames or {}).get(name) or identifier(name), raw)
        for name, raw in fields.items()
    }


def _node(name: str, python_name: str, raw: dict[str, Any]) -> Node:
    structure = {"type", "items", "fields", "required", "versions", "example"}
    return Node(
        name=name,
        python_name=python_name,
        type=raw["type"],
        items=_node(name, python_name, raw["items"]) if "items" in raw else None,
        fields=_nodes(raw.get("fields", {})),
        required=raw.get("required", False),
        versions=tuple(raw["versions"]) if "versions" in raw else None,
        example=raw.get("example"),
        facts={key: value for key, value in raw.items() if key not in structure},
    )
