"""The conversion of Python values to the plain values of JSON and of a query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, TypeGuard

import attrs

from ...errors import InvalidArgumentError

Plain: TypeAlias = str | int | float | bool | list["Plain"] | dict[str, "Plain"] | None

_PLAIN_TYPES = frozenset({str, int, bool, float, type(None)})


def plain(value: Any, path: str) -> Plain:
    """Return ``value`` as a plain value of JSON; ``path`` is its name in errors."""
    if type(value) in _PLAIN_TYPES:
        unchanged: Plain = value
        return unchanged
    if isinstance(value, Mapping):
        return {
            require_text_key(key, path): plain(item, f"{path}.{key}") for key, item in value.items()
        }
    if attrs.has(type(value)):
        return {wire: plain(item, f"{path}.{wire}") for wire, item in model_items(value)}
    if isinstance(value, datetime):
        return int(require_aware(value, path).timestamp())
    if isinstance(value, Enum):
        return plain(value.value, path)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, (str, int, float)):  # subclasses
        return value
    if is_list(value):
        return [plain(item, f"{path}[{at}]") for at, item in enumerate(value)]
    raise InvalidArgumentError(
        f"{argument_name(path)} cannot be sent: {quote_value(value)}.",
        argument=argument_name(path),
        hint=_hint_for_iterator(value),
    )


def query_text(value: Plain, path: str) -> str:
    """Return a plain value as text of the query; join the items of a list with commas."""
    if type(value) is str:
        return value
    if isinstance(value, list):
        return ",".join([_scalar_text(item, path) for item in value])
    return _scalar_text(value, path)


def _scalar_text(value: Plain, path: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise InvalidArgumentError(
        f"{argument_name(path)} must be text, a number, True, False or a sequence of these.",
        argument=argument_name(path),
    )


def is_list(value: Any) -> TypeGuard[Iterable[Any]]:
    """Return whether ``value`` can be sent as a list by every attempt.

    An iterator cannot: for a retry it would be empty, and an empty selection may mean everything.
    """
    return (
        isinstance(value, Iterable)
        and not isinstance(value, (str, bytes, bytearray, memoryview, Mapping, Iterator))
        and not attrs.has(type(value))
    )


def require_list(value: Any, path: str) -> Iterable[Any]:
    """Return ``value`` if it can be sent as a list; otherwise raise `InvalidArgumentError`."""
    if is_list(value):
        items: Iterable[Any] = value
        return items
    hint = _hint_for_text(value) if isinstance(value, str) else _hint_for_iterator(value)
    raise wrong_type(value, path, "a list or another sequence", hint)


def _hint_for_text(text: str) -> str:
    items = [item.strip() for item in text.split(",")]
    return f"Pass {items}." if len(text) <= _MAX_QUOTED else "Pass a list of its parts."


def _hint_for_iterator(value: Any) -> str | None:
    if isinstance(value, Iterator):
        return "It can be read only once, but a call may be retried: pass list(...)."
    return None


def require_text_key(key: Any, path: str) -> str:
    """Return the key of a mapping if it is text; otherwise raise `InvalidArgumentError`."""
    if isinstance(key, str):
        return key
    raise InvalidArgumentError(
        f"{argument_name(path)} has a key of type {type(key).__name__}; keys must be text.",
        argument=argument_name(path),
    )


def model_items(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a model that are set, by wire name."""
    for attribute, wire, is_response_list in _fields(type(value)):
        item = getattr(value, attribute)
        # Response models have an empty list for a field that was not set.
        if not (item is None or (is_response_list and not item)):
            yield wire, item


def require_aware(value: datetime, path: str) -> datetime:
    """Return ``value`` if it has a time zone; otherwise raise `InvalidArgumentError`."""
    if value.tzinfo is not None:
        return value
    raise InvalidArgumentError(
        f"{argument_name(path)} must be an aware datetime, not {value!r}: "
        "without a time zone it is ambiguous.",
        argument=argument_name(path),
        hint="Pass an aware one, such as datetime.now(timezone.utc).",
    )


def argument_name(path: str) -> str:
    """Return the name of an argument from its path, without its location in the request."""
    return path.partition(".")[2] or path


def wrong_type(
    value: Any, path: str, accepted: str, hint: str | None = None
) -> InvalidArgumentError:
    """Return the error for a value of the wrong type; ``accepted`` completes "must be …"."""
    name = argument_name(path)
    return InvalidArgumentError(
        f"{name} must be {accepted}, not {quote_value(value)}.", argument=name, hint=hint
    )


_SHORT = (bool, int, float, Decimal, date, type(None))
_MAX_QUOTED = 40


def quote_value(value: Any) -> str:
    """Return the repr of ``value`` for an error message, or its type if the repr may be long."""
    if isinstance(value, _SHORT) or (isinstance(value, str) and len(value) <= _MAX_QUOTED):
        return repr(value)
    return f"a value of type {type(value).__name__}"


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
