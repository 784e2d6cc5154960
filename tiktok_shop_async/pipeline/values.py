"""Arguments as Python has them -> values as the API takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

import attrs

from ..errors import InvalidArgumentError

Plain: TypeAlias = str | int | float | bool | list["Plain"] | dict[str, "Plain"] | None

_AS_THEY_ARE = frozenset({str, int, bool, float, type(None)})


class ValueConverter:
    """Turns the arguments of one operation into plain values.

    ``milliseconds`` holds the paths whose times count in milliseconds. ``visit`` sees the path of
    each argument that was given, nested ones too, before its value is read.
    """

    __slots__ = ("_milliseconds", "_visit")

    def __init__(
        self, milliseconds: frozenset[str], visit: Callable[[str], None] | None = None
    ) -> None:
        self._milliseconds = milliseconds
        self._visit = visit

    def plain(self, value: Any, path: str) -> Plain:
        """Return ``value`` as JSON has it; ``path`` is where it stands, as in ``body.skus``."""
        if type(value) in _AS_THEY_ARE:
            plain: Plain = value
            return plain
        if isinstance(value, Mapping):
            return {
                self._key(key, path): self._nested(item, f"{path}.{key}")
                for key, item in value.items()
            }
        if attrs.has(type(value)):
            return self._model(value, path)
        if isinstance(value, datetime):
            return self._timestamp(value, path)
        if isinstance(value, Enum):
            return self.plain(value.value, path)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return format(value, "f")
        if isinstance(value, (str, int, float)):  # subclasses
            return value
        if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, memoryview)):
            return [self.plain(item, path) for item in value]
        raise InvalidArgumentError(
            f"a value of type {type(value).__name__} cannot be sent.", argument=argument_name(path)
        )

    def query_text(self, value: Any, path: str) -> str:
        """Return ``value`` as text of the query; a sequence becomes one comma-joined value."""
        if type(value) is str:
            return value
        plain = self.plain(value, path)
        if isinstance(plain, list):
            return ",".join([self._scalar_text(item, path) for item in plain])
        return self._scalar_text(plain, path)

    def _scalar_text(self, plain: Plain, path: str) -> str:
        if isinstance(plain, bool):
            return "true" if plain else "false"
        if isinstance(plain, (str, int, float)):
            return str(plain)
        raise InvalidArgumentError(
            "a query takes text, numbers, booleans and sequences of them.",
            argument=argument_name(path),
        )

    def _nested(self, value: Any, path: str) -> Plain:
        if self._visit:
            self._visit(path)
        return self.plain(value, path)

    def _key(self, key: Any, path: str) -> str:
        if isinstance(key, str):
            return key
        raise InvalidArgumentError(
            f"a key of type {type(key).__name__} cannot be sent.", argument=argument_name(path)
        )

    def _model(self, value: Any, path: str) -> Plain:
        given: dict[str, Plain] = {}
        for attribute, wire, is_list in _fields(type(value)):
            item = getattr(value, attribute)
            # Response models hold an empty list where nothing was given.
            if item is None or (is_list and not item):
                continue
            given[wire] = self._nested(item, f"{path}.{wire}")
        return given

    def _timestamp(self, value: datetime, path: str) -> int:
        if value.tzinfo is None:
            raise InvalidArgumentError(
                "a datetime without a time zone is ambiguous.",
                argument=argument_name(path),
                hint="Use an aware one, such as datetime.now(timezone.utc).",
            )
        seconds = value.timestamp()
        return round(seconds * 1000) if path in self._milliseconds else int(seconds)


def argument_name(path: str) -> str:
    """Return the argument's name in ``path``, without the part of the request it goes to."""
    return path.partition(".")[2] or path


_fields_of: dict[type[Any], tuple[tuple[str, str, bool], ...]] = {}


def _fields(model: type[Any]) -> tuple[tuple[str, str, bool], ...]:
    if model not in _fields_of:
        _fields_of[model] = tuple(
            (field.name, field.metadata.get("wire_name", field.name), _makes_list(field.default))
            for field in attrs.fields(model)
        )
    return _fields_of[model]


def _makes_list(default: Any) -> bool:
    return getattr(default, "factory", None) is list
