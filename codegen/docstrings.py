"""Docstrings of methods, resource classes and models, from the wording and the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .catalogue import EVENTS, Argument, CatalogueError, Node, OperationFacts
from .classes import ModelClass, Occurrence
from .nouns import article_of, noun_phrase
from .text import WIDTH, words
from .wording import Wording

_MAX_SUMMARY = WIDTH - 4 - 6  # indented, in quotes
_PAGE = "https://partner.tiktokshop.com/docv2/page/"
_FORMATS = {
    "unix-seconds": "Unix seconds.",
    "unix-milliseconds": "Unix milliseconds.",
    "milliseconds": "Milliseconds.",
    "iso-4217": "ISO 4217 currency code.",
    "bcp-47": "BCP 47 language tag.",
    "date": "A date such as ``2026-11-24``.",
    "datetime": "ISO 8601 date and time.",
}
_NO_DATA = "An `APIResponse` whose data has no fields."
_KEY_ARGUMENT = "Unique key of this write. If omitted, the client generates one."
_KEYED_OUTCOME = (
    "The write may have been processed. Retry it with the `idempotency_key` of the error: "
    "the service processes it only once."
)
_WRITES = (
    "A write that may have been processed raises `OutcomeUnknownError`: check its effect before "
    "you retry it."
)
_SAVE_TO = "Path of the file to write. If omitted, the response holds the bytes in `content`."


def resource_docstring(operations: list[OperationFacts], wording: Wording) -> str:
    """Return the docstring of a group's class, with a note if it has writes without a key."""
    if any(one.effect == "write" and not one.idempotency_key for one in operations):
        return f"{wording.group}\n\n{_WRITES}"
    return wording.group


def operation_docstring(operation: OperationFacts, wording: Wording) -> str:
    """Return the docstring of a method, with its sections in the order of Google's style."""
    entry = wording.operations[operation.name]
    returns = entry.get("returns") or ("" if operation.response else _NO_DATA)
    outcome = _KEYED_OUTCOME if operation.idempotency_key else entry.get("unknown_outcome")
    sections = [
        entry["summary"],
        entry.get("notes"),
        _section("Args", _argument_entries(operation, entry.get("arguments", {}))),
        _section("Returns", [returns] if returns else []),
        _section("Raises", [f"OutcomeUnknownError: {outcome}"] if outcome else []),
        *_sources(operation),
    ]
    return "\n\n".join(filter(None, sections)).replace("\\", "\\\\")


def _section(title: str, entries: list[str]) -> str:
    return "\n".join([f"{title}:", *(f"    {entry}" for entry in entries)]) if entries else ""


def _argument_entries(operation: OperationFacts, texts: dict[str, str]) -> list[str]:
    """Return ``name: text`` for each argument with something to say beyond its type."""
    notes = {_python_name(operation, name): text for name, text in texts.items()}
    if operation.idempotency_key:
        notes.setdefault("idempotency_key", _KEY_ARGUMENT)
    entries = []
    for argument in operation.all_arguments():
        facts = argument_facts(argument, operation)
        text = " ".join(filter(None, (notes.pop(argument.name, ""), facts)))
        if text:
            entries.append(f"{argument.name}: {text}")
    if notes:
        raise CatalogueError(
            f"{operation.id}: the wording describes unknown arguments: {', '.join(notes)}."
        )
    return [*entries, f"save_to: {_SAVE_TO}"] if operation.download else entries


def _sources(operation: OperationFacts) -> Iterator[str]:
    *older, newest = operation.versions
    if older:
        yield f"Versions: {', '.join(older)}, {newest} (default)."
    page = operation.docs.get(newest)
    if page:
        yield f"Source: {_PAGE}{page}"


def _python_name(operation: OperationFacts, name: str) -> str:
    for nodes in operation.arguments.values():
        if name in nodes:
            return nodes[name].python_name
    return name


def argument_facts(argument: Argument, operation: OperationFacts) -> str:
    """Return the catalogue's facts about an argument that its type does not show."""
    node = argument.node
    facts = {**node.element.facts, **node.facts}
    versions = argument.versions(operation)
    return " ".join(
        [*_unit(facts), *_limits(facts), *_default(facts), *_availability(versions, node)]
    )


def field_facts(node: Node, *, values_in_type: bool) -> str:
    """Return the catalogue's facts about a model's field that its type does not show."""
    facts = {**node.element.facts, **node.facts}
    known = []
    if "enum" in facts and not values_in_type:
        known = [f"Known values: {', '.join(f'``{value}``' for value in facts['enum'])}."]
    limits = _limits(facts) if values_in_type else []
    return " ".join([*_unit(facts), *limits, *known, *_availability(node.versions, node)])


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
        found.append(f"At most {_counted(facts['max_items'], 'entry', 'entries')}.")
    if "max_length" in facts:
        found.append(f"At most {_counted(facts['max_length'], 'character', 'characters')}.")
    return found


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _default(facts: dict[str, Any]) -> list[str]:
    if "default" not in facts:
        return []
    value = facts["default"]
    text = str(value).lower() if isinstance(value, bool) else value
    return [f"The service's default is {text}."]


def _availability(versions: tuple[str, ...] | None, node: Node) -> list[str]:
    found = []
    if versions:
        noun = "version" if len(versions) == 1 else "versions"
        found.append(f"Only in {noun} {', '.join(versions)}.")
    if node.facts.get("deprecated"):
        found.append("Deprecated.")
    return found


def model_docstring(model: ModelClass, users: list[str], wording: Wording) -> str:
    """Return the docstring of a model: hand-written, or what it is and where it occurs."""
    written = wording.models.get(model.name, {}).get("doc")
    if written:
        return str(written)
    noun = noun_phrase(_noun(model, wording))
    callers = _names(one for one in model.occurrences if one.side == "input" and not one.parent)
    if users:
        return _part_docstring(noun, users, callers)
    if callers:
        requests = "requests" if callers[1:] else "the request"
        return _fitting(lambda shown: f"{noun} in {requests} of {shown}.", callers)
    operations = _names(model.occurrences)
    if model.group == EVENTS:
        return _fitting(lambda shown: f"The data of the event {shown}.", operations)
    verb = "return" if operations[1:] else "returns"
    return _fitting(lambda shown: f"The data that {shown} {verb}.", operations)


def _part_docstring(noun: str, users: list[str], callers: list[str]) -> str:
    """Return the docstring of a model that other models have as a field."""
    if callers:
        shown = _with_article(users[0]) if len(users) == 1 else "other models"
        text = f"{noun} in {shown} and in requests such as `{callers[0]}`."
        if len(text) <= _MAX_SUMMARY:
            return text
    if len(users) == 1:
        return f"{noun} in {_with_article(users[0])}."
    return _fitting(lambda shown: f"{noun} in {shown}.", users)


def _with_article(name: str) -> str:
    return f"{article_of(words(name))} `{name}`".lstrip()


def _names(occurrences: Iterable[Occurrence]) -> list[str]:
    return list(dict.fromkeys(one.operation.name for one in occurrences))


def _noun(model: ModelClass, wording: Wording) -> str:
    noun: str = wording.models.get(model.name, {}).get("noun", "")
    noun = noun or words(model.name.removesuffix("Input"))
    return f"money {noun}" if noun == "amount" and "currency" in model.fields else noun


def _fitting(sentence: Callable[[str], str], names: list[str]) -> str:
    """Return a sentence that names as many of ``names`` as fit on one line."""
    for count in range(len(names), 0, -1):
        shown = [f"`{name}`" for name in names[:count]]
        if count < len(names):
            shown.append(f"{len(names) - count} more")
        text = sentence(" and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown))
        if len(text) <= _MAX_SUMMARY:
            return text
    return sentence("several operations" if names[1:] else "one operation")
