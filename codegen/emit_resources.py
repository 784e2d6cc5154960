"""Emission of the modules of ``resources/``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .catalogue import Argument, CatalogueError, Node, OperationFacts
from .classes import GroupClasses
from .docstrings import operation_docstring, resource_docstring
from .emit_models import HEADER
from .text import docstring, identifier, pascal, singular
from .types import input_type, is_used, kind_of, literal_of
from .wording import Wording

_MAX_INLINE_LITERAL = 6
_FORM = "multipart/form-data"


def resource_module(
    group: str, operations: list[OperationFacts], found: GroupClasses, wording: Wording
) -> str:
    """Return the text of a group's resource module."""
    emitter = _Emitter(group, operations, found, wording)
    return emitter.module()


class _Emitter:
    def __init__(
        self, group: str, operations: list[OperationFacts], found: GroupClasses, wording: Wording
    ) -> None:
        self._group = group
        self._operations = operations
        self._found = found
        self._wording = wording
        self._aliases: dict[str, str] = {}
        self._models: set[str] = set()

    def module(self) -> str:
        constants = [line for operation in self._operations for line in _constant(operation)]
        methods = [line for operation in self._operations for line in self._method(operation)]
        text = "\n".join(methods)
        return "\n".join(
            [
                f'"""The operations of the group ``{self._group}``."""',
                "",
                HEADER,
                "",
                "from __future__ import annotations",
                "",
                "from typing import TYPE_CHECKING",
                "",
                *self._runtime_imports(text, "\n".join(constants)),
                "",
                *self._typing_imports(text),
                "",
                *constants,
                "",
                f"class {pascal(self._group)}Resource(Resource):",
                *docstring(resource_docstring(self._operations, self._wording), 4),
                "",
                f'    GROUP = "{self._group}"',
                *methods,
                "",
            ]
        )

    def _runtime_imports(self, text: str, constants: str) -> Iterator[str]:
        if "NoData" in text:
            yield "from .._internal.model import NoData"
        if "Time." in constants:
            yield "from ..pipeline.arguments.kinds import Time"
        names = ["Operation", *(["Paging"] if "Paging(" in constants else [])]
        yield f"from ..pipeline.operation import {', '.join(names)}"
        yield "from ..resource import Resource"

    def _typing_imports(self, text: str) -> list[str]:
        lines = ["if TYPE_CHECKING:"]
        wanted = {
            "collections.abc": ["Mapping", "Sequence"],
            "datetime": ["date", "datetime"],
            "os": ["PathLike"],
            "typing": ["Any", "Literal"],
            "..options": ["RequestOptions"],
            "..pagination": ["Pager"],
            "..pipeline.arguments.files": ["FileInput"],
            "..response": ["APIResponse", "FileResponse"],
        }
        signatures = " ".join([text, *self._aliases.values()])
        for module, names in wanted.items():
            used = [name for name in names if is_used(name, signatures)]
            if used:
                lines.append(f"    from {module} import {', '.join(used)}")
        if self._models:
            lines.append(
                f"    from ..models.{self._group} import {', '.join(sorted(self._models))}"
            )
        for name, literal in sorted(self._aliases.items()):
            lines += ["", f"    {name} = {literal}"]
        return lines

    def _method(self, operation: OperationFacts) -> list[str]:
        arguments = operation.all_arguments()
        parameters = [self._parameter(operation, argument) for argument in arguments]
        if operation.download:
            parameters.append("save_to: str | PathLike[str] | None = None")
        parameters.append("options: RequestOptions | None = None")
        data = self._found.by_key.get(f"{operation.name}.response")
        model = data.name if data else "NoData"
        if data:
            self._models.add(model)
        pages = operation.pagination is not None
        caller = "_paged" if pages else "_download" if operation.download else "_call"
        returned = f"Pager[{model}, {self._item(operation)}]" if pages else f"APIResponse[{model}]"
        if operation.download:
            returned = f"FileResponse[{model}]"
        call = ", ".join([operation.name.upper(), model, *_call_arguments(operation, arguments)])
        statement = f"self.{caller}({call})"
        return [
            "",
            f"    {'' if pages else 'async '}def {operation.name}(",
            f"        self, *, {', '.join(parameters)},",
            f"    ) -> {returned}:",
            *docstring(operation_docstring(operation, self._wording), 8),
            *([f"        from ..models.{self._group} import {model}", ""] if data else []),
            f"        return {statement if pages else 'await ' + statement}",
        ]

    def _parameter(self, operation: OperationFacts, argument: Argument) -> str:
        model = None
        for location, wire in argument.locations.items():
            found = self._found.by_key.get(f"{operation.name}.{location}.{wire}")
            model = found.name if found else model
        if model:
            self._models.add(model)
        annotation = input_type(argument.node, model, self._literal(operation, argument.node))
        default = "" if argument.required else " | None = None"
        return f"{argument.name}: {annotation}{default}"

    def _literal(self, operation: OperationFacts, node: Node) -> str | None:
        literal = literal_of(node)
        if literal is None or literal.count(",") < _MAX_INLINE_LITERAL:
            return literal
        taken = {model.name for model in self._found.classes}
        for name in (
            pascal(singular(node.python_name)),
            pascal(operation.name) + pascal(node.python_name),
        ):
            if name not in taken and self._aliases.setdefault(name, literal) == literal:
                return name
        return literal

    def _item(self, operation: OperationFacts) -> str:
        """Return the type of the items that a pager yields."""
        assert operation.pagination is not None
        kinds: list[str] = []
        for path in operation.pagination["items"]:
            node = Node(name="", python_name="", type="object", fields=operation.response)
            for step in path.split("."):
                node = node.element.fields[step]
            model = self._found.by_key.get(f"{operation.name}.response.{path}")
            kinds.append(
                model.name if model else {"string": "str", "integer": "int"}[node.element.type]
            )
        self._models.update(kind for kind in kinds if kind not in ("str", "int"))
        return " | ".join(dict.fromkeys(kinds)) or "Any"


def _call_arguments(operation: OperationFacts, arguments: list[Argument]) -> Iterator[str]:
    for location in operation.arguments:
        entries = [
            f'"{argument.locations[location]}": {argument.name}'
            for argument in arguments
            if location in argument.locations
        ]
        if entries:
            yield f"{location}={{{', '.join(entries)}}}"
    if operation.download:
        yield "save_to=save_to"
    yield "options=options"


def _constant(operation: OperationFacts) -> Iterator[str]:
    yield f"{operation.name.upper()} = Operation("
    for name, value in _facts(operation):
        yield f"    {name}={value},"
    yield ")"


def _facts(operation: OperationFacts) -> Iterator[tuple[str, str]]:
    yield "id", _text(operation.id)
    yield "method", _text(operation.method)
    yield "path", _text(operation.path)
    yield "versions", _tuple(operation.versions)
    yield "effect", _text(operation.effect)
    if operation.cipher:
        yield "cipher", _text(operation.cipher)
    if operation.content_type:
        yield "body", _text("multipart" if operation.content_type == _FORM else "json")
    files = [name for name, node in operation.arguments["body"].items() if node.type == "file"]
    if files:
        yield "files", _tuple(files)
    if operation.idempotency_key:
        yield "idempotency_key", _text(operation.idempotency_key)
    if operation.pagination:
        yield "pagination", _pagination(operation.pagination)
    if operation.download:
        yield "download", _text(operation.download)
    yield from _argument_facts(operation)


def _argument_facts(operation: OperationFacts) -> Iterator[tuple[str, str]]:
    required, only_in, refuse_empty = set(), {}, set()
    for argument in operation.all_arguments():
        for location, wire in argument.locations.items():
            if argument.required and location != "path":
                required.add(f"{location}.{wire}")
            if argument.node.facts.get("min_items"):
                refuse_empty.add(f"{location}.{wire}")
    for path, node in _all_nodes(operation):
        if node.versions is not None:
            only_in[path] = node.versions
    if required:
        yield "required", _frozenset(required)
    kinds = _kinds(operation)
    if kinds:
        yield "arguments", kinds
    renamed = {
        f"{location}.{wire}": argument.name
        for argument in operation.all_arguments()
        for location, wire in argument.locations.items()
        if wire != argument.name
    }
    if renamed:
        if any(path.startswith(f"{each}.") for path in only_in for each in renamed):
            raise CatalogueError(
                f"{operation.id}: a renamed argument must not have version-specific fields"
            )
        entries = [f"{_text(path)}: {_text(name)}" for path, name in renamed.items()]
        yield "renamed", "{" + ", ".join(entries) + "}"
    if refuse_empty:
        yield "refuse_empty", _frozenset(refuse_empty)
    if only_in:
        entries = [f"{_text(path)}: {_tuple(only_in[path])}" for path in sorted(only_in)]
        yield "only_in", "{" + ", ".join(entries) + "}"


def _kinds(operation: OperationFacts) -> str:
    """Return the kinds of the arguments as source text; unlisted path parameters are text."""
    kinds = [
        f"{_text(f'{location}.{wire}')}: {kind_of(node)}"
        for location, nodes in operation.arguments.items()
        for wire, node in nodes.items()
        if node.type != "file" and not (location == "path" and kind_of(node) == "str")
    ]
    return "{" + ", ".join(kinds) + "}" if kinds else ""


def _all_nodes(operation: OperationFacts) -> Iterator[tuple[str, Node]]:
    def walk(path: str, node: Node) -> Iterator[tuple[str, Node]]:
        yield path, node
        for name, child in node.element.fields.items():
            yield from walk(f"{path}.{name}", child)

    for location in ("query", "body"):
        for name, node in operation.arguments[location].items():
            yield from walk(f"{location}.{name}", node)


def _pagination(facts: dict[str, Any]) -> str:
    def attribute_path(path: str) -> str:
        return ".".join(identifier(step) for step in path.split("."))

    items = _tuple(attribute_path(path) for path in facts["items"])
    next_token = _text(attribute_path(facts["next"]))
    return f"Paging(token_in={_text(facts['token_in'])}, next_token={next_token}, items={items})"


def _text(value: str) -> str:
    return f'"{value}"'


def _tuple(values: Any) -> str:
    return "(" + "".join(f"{_text(value)}, " for value in values) + ")"


def _frozenset(values: set[str]) -> str:
    return "frozenset({" + ", ".join(_text(value) for value in sorted(values)) + "})"


def groups_module(groups: list[str], wordings: dict[str, Wording]) -> str:
    """Return the text of the mixin that makes the groups attributes of a client."""
    lines = [
        '"""The groups of operations as attributes of a client."""',
        "",
        HEADER,
        "",
        "from __future__ import annotations",
        "",
        "from functools import cached_property",
        "from typing import TYPE_CHECKING",
        "",
        "if TYPE_CHECKING:",
        "    from ..auth import AuthState",
        "    from ..pipeline.run import Pipeline",
        "    from ..pipeline.session import Session",
        *(f"    from .{group} import {pascal(group)}Resource" for group in groups),
        "",
        f"GROUPS = {_tuple(groups)}",
        "",
        "class ResourceGroups:",
        '    """A mixin with one attribute for each group; its module is loaded on first use."""',
        "",
        "    _session: Session",
        "",
        "    if TYPE_CHECKING:",
        "",
        "        @property",
        "        def auth(self) -> AuthState: ...",
        "",
        "    @cached_property",
        "    def _pipeline(self) -> Pipeline:",
        "        # The pipeline is slow to import, and a program can start without it.",
        "        from ..pipeline.run import Pipeline",
        "",
        "        return Pipeline(self._session)",
    ]
    for group in groups:
        name = f"{pascal(group)}Resource"
        lines += [
            "",
            "    @cached_property",
            f"    def {group}(self) -> {name}:",
            *docstring(wordings[group].group, 8),
            f"        from .{group} import {name}",
            "",
            f"        return {name}(self._pipeline, self.auth)",
        ]
    return "\n".join([*lines, ""])
