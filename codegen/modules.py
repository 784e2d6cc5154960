"""Which module a class lives in, so that one operation loads only what it needs."""

from __future__ import annotations

from collections import defaultdict

import attrs

from .catalogue import CatalogueError, OperationFacts
from .classes import GroupClasses, ModelClass
from .text import snake


@attrs.define(kw_only=True)
class Layout:
    """Modules of a group and what is in them."""

    modules: dict[str, list[ModelClass]]
    """Name of the module -> its classes, users before what they use."""
    module_of: dict[str, str]
    """Class name -> module."""


def lay_out(operations: list[OperationFacts], found: GroupClasses) -> Layout:
    """Return the module of each class.

    What only one module uses lives there: with its operation, or with the class that it is a part
    of. What several use has a module of its own.
    """
    users = _users(operations, found)
    module_of: dict[str, str] = {}
    modules: dict[str, list[ModelClass]] = defaultdict(list)
    taken = {operation.name for operation in operations}
    for model in _users_first(found.classes):
        places = {
            user if isinstance(user, str) else module_of[user.name] for user in users[model.name]
        }
        if len(places) == 1:
            (module,) = places
        else:
            module = snake(model.name)
            if module in taken:
                raise CatalogueError(
                    f"{model.group}: the module of {model.name} has an operation's name"
                )
        module_of[model.name] = module
        modules[module].append(model)
    return Layout(modules=dict(sorted(modules.items())), module_of=module_of)


def _users(
    operations: list[OperationFacts], found: GroupClasses
) -> dict[str, list[str | ModelClass]]:
    """Return, by class name, the operations (by name) and classes that use it directly."""
    users: dict[str, list[str | ModelClass]] = defaultdict(list)
    for model in found.classes:
        for part in model.parts.values():
            users[part.name].append(model)
    for operation in operations:
        # Decoding an answer must not load what only callers make, so that has a module of its own.
        roots = {f"{operation.name}.response": operation.name}
        for name in operation.arguments["body"]:
            roots[f"{operation.name}.body.{name}"] = f"{operation.name}_input"
        for root, module in roots.items():
            if root in found.by_place:
                users[found.by_place[root].name].append(module)
    return users


def _users_first(classes: list[ModelClass]) -> list[ModelClass]:
    """Return ``classes`` so that each comes after all that use it."""
    ordered: list[ModelClass] = []
    state: dict[str, str] = {}

    def visit(model: ModelClass) -> None:
        if state.get(model.name) == "under way":
            raise CatalogueError(f"{model.group}: {model.name} is a part of itself")
        if model.name not in state:
            state[model.name] = "under way"
            for _, part in sorted(model.parts.items(), reverse=True):
                visit(part)
            state[model.name] = "done"
            ordered.append(model)

    for model in sorted(classes, key=lambda model: model.name, reverse=True):
        visit(model)
    return ordered[::-1]
