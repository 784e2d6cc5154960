"""The base of all generated models: immutable attrs classes that forgive null lists."""

from __future__ import annotations

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
    lists = tuple(name for name, annotation in annotations.items() if _is_list(annotation))
    if lists:
        cls.__attrs_post_init__ = _null_lists_emptied(lists)
    made = attrs.frozen(kw_only=True)(cls)
    for name in lists:
        made.__annotations__[name] = f"{annotations[name]} | None"
    return made


@model
class NoData:
    """The ``data`` of an operation that answers with nothing but success."""


def _is_list(annotation: object) -> bool:
    return isinstance(annotation, str) and annotation.startswith("list[")


def _null_lists_emptied(names: tuple[str, ...]) -> Any:
    def __attrs_post_init__(self: Any) -> None:  # noqa: N807 - the hook's name is attrs' own
        for name in names:
            if getattr(self, name) is None:
                object.__setattr__(self, name, [])

    return __attrs_post_init__
