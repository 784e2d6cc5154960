"""The base of all generated models: immutable attrs classes that accept null for lists."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, dataclass_transform

import attrs

_C = TypeVar("_C", bound=type[Any])


def wire_name(name: str, **field_options: Any) -> Any:
    """Return an attrs field whose name in the API's JSON is ``name``."""
    return attrs.field(metadata={"wire_name": name}, **field_options)


@dataclass_transform(
    kw_only_default=True, frozen_default=True, field_specifiers=(attrs.field, wire_name)
)
def model(cls: _C) -> _C:
    """Make ``cls`` a keyword-only, immutable attrs class.

    The service sends null for an empty list. A list field is therefore annotated ``list[T]`` for
    type checkers and ``list[T] | None`` for the decoder, and None becomes an empty list.
    """
    annotations = cls.__annotations__
    lists = [name for name, annotation in annotations.items() if _is_list(annotation)]
    setters: dict[str, Callable[[Any, list[Any]], None]] = {}
    if lists:
        cls.__attrs_post_init__ = _compile_post_init(lists, setters)
    # attrs would compile these for each class, which doubles the time to create one.
    for name, method in _SHARED_METHODS.items():
        setattr(cls, name, method)
    created = attrs.frozen(kw_only=True, eq=False, repr=False)(cls)
    for name in lists:
        created.__annotations__[name] = f"{annotations[name]} | None"
        setters[_setter(name)] = vars(created)[name].__set__
    return created


def has_wire_names(cls: type[Any]) -> bool:
    """Return whether a field of ``cls``, or of a model that it contains, has another JSON name."""
    seen, pending = {cls}, [cls]
    while pending:
        each = pending.pop()
        if any("wire_name" in field.metadata for field in attrs.fields(each)):
            return True
        pending += [nested for nested in _nested_models(each) if nested not in seen]
        seen.update(pending)
    return False


def _nested_models(cls: type[Any]) -> Iterator[type[Any]]:
    # Evaluating the annotations would compile each of them, and delay an operation's first call.
    names = vars(sys.modules[cls.__module__])
    for field in attrs.fields(cls):
        for name in re.findall(r"\w+", str(field.type)):
            if attrs.has(names.get(name, object)):
                yield names[name]


def _is_list(annotation: object) -> bool:
    return isinstance(annotation, str) and annotation.startswith("list[")


def _compile_post_init(
    names: list[str], setters: dict[str, Callable[[Any, list[Any]], None]]
) -> Any:
    """Return an ``__attrs_post_init__`` that replaces None by a list in these fields.

    It runs for every object of every response. Compiled code without a loop makes decoding a tenth
    faster.
    """
    lines = [f"    if self.{name} is None: {_setter(name)}(self, [])" for name in names]
    exec("\n".join(["def __attrs_post_init__(self):", *lines]), setters)  # noqa: S102 - our names
    return setters["__attrs_post_init__"]


def _setter(name: str) -> str:
    return f"set_{name}"


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, field.name) for field in attrs.fields(type(self))])


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash((type(self), _values(self)))


def _repr(self: Any) -> str:
    fields = [f"{name}={value!r}" for name, value in _rich_repr(self)]
    return f"{type(self).__name__}({', '.join(fields)})"


def _rich_repr(self: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields that `repr` and rich show."""
    from .personal_data import masked_fields  # rarely needed

    return masked_fields(self)


_SHARED_METHODS = {
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__rich_repr__": _rich_repr,
}


@model
class NoData:
    """The ``data`` of an operation whose response has no data."""
