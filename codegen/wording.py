"""The sentences of the docstrings: ours where somebody wrote them, else the catalogue's facts."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import attrs

from .catalogue import CATALOGUE, CatalogueError, Node, OperationFacts
from .classes import ModelClass
from .text import WIDTH, words

_LONGEST_SUMMARY = WIDTH - 4 - 6  # indented, in quotes
_PAGE = "https://partner.tiktokshop.com/docv2/page/"
_FORMATS = {
    "unix-seconds": "Unix seconds.",
    "unix-milliseconds": "Unix milliseconds.",
    "milliseconds": "Milliseconds.",
    "iso-4217": "Currency code, as in ISO 4217.",
    "bcp-47": "Language tag, as in BCP 47.",
    "date": "A date, as ``2026-11-24``.",
    "datetime": "Date and time, in ISO 8601.",
}


@attrs.define(kw_only=True)
class Wording:
    """What was written about one group."""

    group: str
    operations: dict[str, dict[str, Any]]
    models: dict[str, dict[str, Any]]


def wording_of(group: str, operations: list[OperationFacts]) -> Wording:
    """Return the sentences about ``group``; raises unless each operation has a summary."""
    path = CATALOGUE / "wording" / f"{group}.toml"
    table = tomllib.loads(path.read_text()) if path.exists() else {}
    found = Wording(
        group=table.get("group", ""),
        operations=table.get("operations", {}),
        models=table.get("models", {}),
    )
    names = {operation.name for operation in operations}
    missing = [name for name in names if not _says_something(name, found.operations.get(name, {}))]
    unknown = found.operations.keys() - names
    if missing or unknown or not found.group:
        raise CatalogueError(
            f"catalogue/wording/{group}.toml lacks {sorted(missing) or 'its group line'}; "
            f"unknown there: {sorted(unknown)}"
        )
    return found


def _says_something(name: str, said: dict[str, Any]) -> bool:
    """Whether an operation has a summary that is more than its name in words."""
    summary = str(said.get("summary", ""))
    return summary.lower().rstrip(".") not in ("", words(name))


def operation_docstring(operation: OperationFacts, wording: Wording) -> str:
    """Return the docstring of a method."""
    said = wording.operations[operation.name]
    notes = {
        _python_name(operation, name): text for name, text in said.get("arguments", {}).items()
    }
    entries = []
    for argument in operation.all_arguments():
        text = _sentences(notes.pop(argument.name, ""), argument_facts(argument.node))
        if text:
            entries.append(f"    {argument.name}: {text}")
    if notes:
        raise CatalogueError(f"{operation.id}: the wording names no argument: {', '.join(notes)}")
    if operation.download:
        entries.append(
            "    save_to: Where to write the file; without it, the answer holds its bytes."
        )
    paragraphs = [said["summary"]]
    if said.get("returns"):
        paragraphs.append(said["returns"])
    if entries:
        paragraphs.append("\n".join(["Args:", *entries]))
    *older, newest = operation.versions
    if older:
        paragraphs.append(f"Versions: {', '.join(older)}, {newest} (default).")
    page = operation.docs.get(newest)
    if page:
        paragraphs.append(f"Source: {_PAGE}{page}")
    text = "\n\n".join(paragraphs)
    return text.replace("\\", "\\\\")


def _python_name(operation: OperationFacts, name: str) -> str:
    for place in operation.arguments.values():
        if name in place:
            return place[name].python_name
    return name


def argument_facts(node: Node) -> str:
    """Return what the catalogue knows of an argument and its type does not show."""
    facts = {**node.element.facts, **node.facts}
    return " ".join(
        [
            *_unit(facts),
            *_limits(facts),
            *_default(facts),
            *_availability(node),
        ]
    )


def field_facts(node: Node, *, values_in_type: bool) -> str:
    """Return what the catalogue knows of a model's field and its type does not show."""
    facts = {**node.element.facts, **node.facts}
    known = []
    if "enum" in facts and not values_in_type:
        known = [f"Known values: {', '.join(f'``{value}``' for value in facts['enum'])}."]
    limits = _limits(facts) if values_in_type else []
    return " ".join([*_unit(facts), *limits, *known, *_availability(node)])


def _unit(facts: dict[str, Any]) -> list[str]:
    found = [_FORMATS[facts["format"]]] if facts.get("format") in _FORMATS else []
    if facts.get("unit") and facts.get("format") != "milliseconds":
        found.append(f"Unit: {facts['unit']}.")
    return found


def _limits(facts: dict[str, Any]) -> list[str]:
    found = []
    low, high = facts.get("minimum"), facts.get("maximum")
    if low is not None and high is not None:
        found.append(f"From {low} to {high}.")
    elif low is not None:
        found.append(f"At least {low}.")
    elif high is not None:
        found.append(f"At most {high}.")
    if "min_items" in facts:
        found.append("An empty list is rejected.")
    if "max_items" in facts:
        found.append(f"At most {facts['max_items']} of them.")
    if "max_length" in facts:
        found.append(f"Up to {facts['max_length']} characters.")
    return found


def _default(facts: dict[str, Any]) -> list[str]:
    if "default" not in facts:
        return []
    value = facts["default"]
    text = str(value).lower() if isinstance(value, bool) else value
    return [f"The service's default is {text}."]


def _availability(node: Node) -> list[str]:
    found = [f"Only in {', '.join(node.versions)}."] if node.versions else []
    if node.facts.get("deprecated"):
        found.append("Deprecated.")
    return found


def _sentences(*texts: str) -> str:
    return " ".join(text for text in texts if text)


def model_docstring(model: ModelClass, users: list[str], wording: Wording) -> str:
    """Return the docstring of a model: written, or what it is a part of."""
    written = wording.models.get(model.name, {}).get("doc")
    if written:
        return str(written)
    name = words(model.name.removesuffix("Input"))
    what = f"{name[:1].upper()}{name[1:]}"
    if users:
        return _fitting(lambda shown: f"{what}, a part of {shown}.", users)
    operations = list(dict.fromkeys(place.operation.name for place in model.places))
    if model.is_input:
        return _fitting(lambda shown: f"{what} for {shown}.", operations)
    return _fitting(lambda shown: f"Data of {shown}.", operations)


def _fitting(sentence: Callable[[str], str], names: list[str]) -> str:
    """Return a sentence that names as many of ``names`` as one line takes."""
    for count in range(len(names), 0, -1):
        shown = [f"`{name}`" for name in names[:count]]
        if count < len(names):
            shown.append(f"{len(names) - count} more")
        text = sentence(" and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown))
        if len(text) <= _LONGEST_SUMMARY:
            return text
    return sentence("several others")
