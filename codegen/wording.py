"""The hand-written sentences of ``catalogue/wording/``, loaded and checked."""

from __future__ import annotations

import tomllib
from typing import Any

import attrs

from .catalogue import CATALOGUE, CatalogueError, OperationFacts
from .classes import ModelClass
from .text import words

_KEYS = {"summary", "notes", "returns", "unknown_outcome", "arguments"}


@attrs.define(kw_only=True)
class Wording:
    """The sentences about one group."""

    group: str
    operations: dict[str, dict[str, Any]]
    models: dict[str, dict[str, Any]]


def wording_of(group: str, operations: list[OperationFacts]) -> Wording:
    """Return the sentences about ``group``.

    Raise `CatalogueError` for a missing group line or summary, and for an unknown operation or key.
    """
    path = CATALOGUE / "wording" / f"{group}.toml"
    table = tomllib.loads(path.read_text()) if path.exists() else {}
    found = Wording(
        group=table.get("group", ""),
        operations=table.get("operations", {}),
        models=table.get("models", {}),
    )
    names = {operation.name for operation in operations}
    keyless = {one.name for one in operations if one.effect == "write" and not one.idempotency_key}
    problems = [
        *([] if found.group else ["the group line is missing"]),
        *(
            f"the summary of {name} is missing or only repeats the name"
            for name in sorted(names)
            if not _has_summary(name, found.operations.get(name, {}))
        ),
        *(f"the operation {name} is unknown" for name in sorted(found.operations.keys() - names)),
        *(
            f"the key {key} of {name} is unknown"
            for name, entry in found.operations.items()
            for key in sorted(entry.keys() - _KEYS)
        ),
        *(
            f"{name} has an unknown_outcome, which is only for writes without an idempotency key"
            for name, entry in found.operations.items()
            if "unknown_outcome" in entry and name not in keyless
        ),
    ]
    if problems:
        raise CatalogueError(f"catalogue/wording/{group}.toml: {'; '.join(problems)}.")
    return found


def check_models(group: str, wording: Wording, models: list[ModelClass]) -> None:
    """Raise `CatalogueError` if the wording describes unknown models or fields."""
    fields = {model.name: model.fields.keys() for model in models}
    unknown = [name for name in wording.models if name not in fields]
    unknown += [
        f"{name}.{field}"
        for name, entry in wording.models.items()
        for field in entry.get("fields", {})
        if name in fields and field not in fields[name]
    ]
    if unknown:
        raise CatalogueError(
            f"catalogue/wording/{group}.toml describes unknown models or fields: "
            f"{', '.join(sorted(unknown))}."
        )


def _has_summary(name: str, entry: dict[str, Any]) -> bool:
    """Return whether an operation has a summary that is more than its name in words."""
    summary = str(entry.get("summary", ""))
    return summary.lower().rstrip(".") not in ("", words(name))
