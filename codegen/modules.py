"""The module of each class, chosen so that an operation loads only the models it needs."""

from __future__ import annotations

from collections import defaultdict

import attrs

from .catalogue import CatalogueError, OperationFacts
from .classes import GroupClasses, ModelClass
from .text import snake


@attrs.define(kw_only=True)
class Layout:
    """The modules of a group and their classes."""

    modules: dict[str, list[ModelClass]]
    """Module name -> its classes; each class precedes the classes of its fields."""
    module_of: dict[str, str]
    """Class name -> module name."""


def lay_out(operations: list[OperationFacts], found: GroupClasses) -> Layout:
    """Return the module of each class.

    A class used by one module only is defined there: beside its operation, or beside the class that
    has it as a field. A class used by several modules gets its own module.
    """
    users = _users(operations, found)
    module_of: dict[str, str] = {}
    modules: dict[str, list[ModelClass]] = defaultdict(list)
    taken = {operation.name for operation in operations}
    for model in _users_first(found.classes):
        using = {
            user if isinstance(user, str) else module_of[user.name] for user in users[model.name]
        }
        if len(using) == 1:
            (module,) = using
        else:
            module = snake(model.name)
            if module in taken:
                raise CatalogueError(
                    f"{model.group}: the module of {model.name} has the name of an operation"
                )
        module_of[model.name] = module
        modules[module].append(model)
    return Layout(modules=dict(sorted(modules.items())), module_of=module_of)


def _users(
    operations: list[OperationFacts], found: GroupClasses
) -> dict[str, list[str | ModelClass]]:
    """Return class name -> the operations (by name) and classes that use it directly."""
    users: dict[str, list[str | ModelClass]] = defaultdict(list)
    for model in found.classes:
        for part in model.parts.values():
            users[part.name].append(model)
    for operation in operations:
        # Decoding a response must not load the input classes, so they have their own module.
        roots = {f"{operation.name}.response": operation.name}
        for name in operation.arguments["body"]:
            roots[f"{operation.name}.body.{name}"] = f"{operation.name}_input"
        for root, module in roots.items():
            if root in found.by_key:
                users[found.by_key[root].name].append(module)
    return users


def _users_first(classes: list[ModelClass]) -> list[ModelClass]:
    """Return ``classes`` ordered so that each comes after all classes that use it."""
    ordered: list[ModelClass] = []
    state: dict[str, str] = {}

    def visit(model: ModelClass) -> None:
        if state.get(model.name) == "visiting":
            raise CatalogueError(f"{model.group}: {model.name} contains itself")
        if model.name not in state:
            state[model.name] = "visiting"
            for _, part in sorted(model.parts.items(), reverse=True):
                visit(part)
            state[model.name] = "done"
            ordered.append(model)

    for model in sorted(classes, key=lambda model: model.name, reverse=True):
        visit(model)
    return ordered[::-1]
