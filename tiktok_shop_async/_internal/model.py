"""The base of all generated models: immutable attrs classes that forgive null lists."""

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

    The service sends null where it means an empty list. A list field is therefore ``list[T]`` to
    its reader but ``list[T] | None`` to the decoder, and None turns into a list on the way in.
    """
    annotations = cls.__annotations__
    lists = [name for name, annotation in annotations.items() if _is_list(annotation)]
    setters: dict[str, Callable[[Any, list[Any]], None]] = {}
    if lists:
        cls.__attrs_post_init__ = _null_lists_emptied(lists, setters)
    # attrs would write and compile these for each class, which takes as long as all the rest.
    for name, method in _SHARED_METHODS.items():
        setattr(cls, name, method)
    made = attrs.frozen(kw_only=True, eq=False, repr=False)(cls)
    for name in lists:
        made.__annotations__[name] = f"{annotations[name]} | None"
        setters[_setter(name)] = vars(made)[name].__set__
    return made


def has_wire_names(cls: type[Any]) -> bool:
    """Whether a field of ``cls``, or of a model below it, has another name in JSON."""
    seen, left = {cls}, [cls]
    while left:
        one = left.pop()
        if any("wire_name" in field.metadata for field in attrs.fields(one)):
            return True
        left += [part for part in _parts(one) if part not in seen]
        seen.update(left)
    return False


def _parts(cls: type[Any]) -> Iterator[type[Any]]:
    # Evaluating the annotations would compile each, and hold up the first call of an operation.
    known = vars(sys.modules[cls.__module__])
    for field in attrs.fields(cls):
        for name in re.findall(r"\w+", str(field.type)):
            if attrs.has(known.get(name, object)):
                yield known[name]


def _is_list(annotation: object) -> bool:
    return isinstance(annotation, str) and annotation.startswith("list[")


def _null_lists_emptied(
    names: list[str], setters: dict[str, Callable[[Any, list[Any]], None]]
) -> Any:
    """Return the ``__attrs_post_init__`` of a class with lists of these names.

    It runs for every object of every answer, so it is written out as one would by hand: a loop over
    names makes decoding slower by a tenth.
    """
    lines = [f"    if self.{name} is None: {_setter(name)}(self, [])" for name in names]
    exec("\n".join(["def __attrs_post_init__(self):", *lines]), setters)  # noqa: S102 - our names
    return setters["__attrs_post_init__"]


def _setter(name: str) -> str:
    return f"set_{name}"


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, field.name) for field in attrs.fields(type(self))])


def _equal(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return _values(self) == _values(other)


def _hashed(self: Any) -> int:
    return hash((type(self), _values(self)))


def _shown(self: Any) -> str:
    shown = [f"{name}={value!r}" for name, value in _fields_shown(self)]
    return f"{type(self).__name__}({', '.join(shown)})"


def _fields_shown(self: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields that `repr` and rich show."""
    from .personal_data import masked_fields  # seldom needed

    return masked_fields(self)


_SHARED_METHODS = {
    "__eq__": _equal,
    "__hash__": _hashed,
    "__repr__": _shown,
    "__rich_repr__": _fields_shown,
}


@model
class NoData:
    """The ``data`` of an operation that answers with nothing but success."""
