"""The conversion of arguments to plain values of their documented kinds.

A kind is a type (``str``, ``int``, ``float``, ``bool``), a `Time`, ``[kind]`` for a list, or a
mapping of keys to kinds for an object; an empty mapping stands for an object of any keys.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from numbers import Integral
from typing import Any, TypeAlias

import attrs

from ...errors import InvalidArgumentError
from .values import (
    Plain,
    argument_name,
    model_items,
    plain,
    require_aware,
    require_list,
    require_text_key,
    wrong_type,
)


class Time(Enum):
    """The format in which a time is sent."""

    SECONDS = "Unix seconds"
    MILLISECONDS = "Unix milliseconds"
    SECONDS_AS_TEXT = "text of Unix seconds"
    MILLISECONDS_AS_TEXT = "text of Unix milliseconds"
    DATE = "text such as 2026-11-24"


Kind: TypeAlias = type[Any] | Time | list["Kind"] | Mapping[str, "Kind"]

CheckPath = Callable[[str], None]
"""A function that raises for a nested path (``body.skus[0].hint``) that the version lacks."""

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_MAX_EXACT_FLOAT = 2.0**53
"""From here on, floats are further apart than integers."""
_CLOSE = 0.85
"""The similarity to a known key from which a key counts as misspelled, from 0 to 1."""


def convert(value: Any, kind: Kind, path: str, check: CheckPath | None = None) -> Plain:
    """Return ``value`` as the API takes it; raise `InvalidArgumentError` if that loses anything."""
    if type(value) is kind and kind is not float:  # floats are checked for NaN
        unchanged: Plain = value
        return unchanged
    if isinstance(value, Enum):
        return convert(value.value, kind, path, check)
    if isinstance(kind, list):
        return _list(value, kind[0], path, check)
    if isinstance(kind, Mapping):
        return _object(value, kind, path, check)
    return _SCALARS[kind](value, path)


def _list(value: Any, kind: Kind, path: str, check: CheckPath | None) -> Plain:
    return [
        item if type(item) is kind else convert(item, kind, f"{path}[{at}]", check)
        for at, item in enumerate(require_list(value, path))
    ]


def _object(value: Any, kinds: Mapping[str, Kind], path: str, check: CheckPath | None) -> Plain:
    converted: dict[str, Plain] = {}
    items = _items(value, kinds, path)
    for key, item in items.items():
        inner = f"{path}.{require_text_key(key, path)}"
        if check:
            check(inner)
        kind = kinds.get(key)
        if kind is None:
            _check_spelling(key, kinds, items, path)
            converted[key] = plain(item, inner)
        else:
            converted[key] = None if item is None else convert(item, kind, inner, check)
    return converted


def _items(value: Any, kinds: Mapping[str, Kind], path: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if not attrs.has(type(value)):
        raise wrong_type(value, path, "a mapping or a model")
    items = dict(model_items(value))
    if items and kinds and not items.keys() & kinds.keys():
        raise wrong_type(value, path, f"a mapping or a model with {', '.join(kinds)}")
    return items


def _check_spelling(key: str, known: Iterable[str], given: Mapping[str, Any], path: str) -> None:
    """Raise for an unknown key that is similar to a known one; other unknown keys may be new."""
    similar = [name for name in known if _normalize(name) == _normalize(key)]
    similar = similar or get_close_matches(key, known, n=1, cutoff=_CLOSE)
    if similar and similar[0] not in given:
        name = argument_name(f"{path}.{key}")
        raise InvalidArgumentError(
            f"{name} is unknown. Did you mean {similar[0]}?",
            argument=name,
            hint="To send a key that the catalogue lacks, use extra_body, which is not checked.",
        )


def _normalize(key: str) -> str:
    """Return ``key`` in a form that is equal for skuId, sku-id and sku_id."""
    return re.sub(r"[\W_]", "", key).lower()


def _is_int(value: Any) -> bool:
    # numpy's integers are Integral too; its booleans are not.
    return isinstance(value, Integral) and not isinstance(value, bool)


def _text(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if _is_int(value):
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    hint = None
    if isinstance(value, float):
        hint = _hint_for_float(value)
    elif isinstance(value, bytes):
        hint = "Call .decode() on it."
    elif isinstance(value, datetime):
        hint = "The format of this time is not documented: pass text."
    raise wrong_type(value, path, "text", hint)


def _hint_for_float(value: float) -> str:
    if abs(value) < _MAX_EXACT_FLOAT:
        return f"A float is not exact. For an amount, pass Decimal({str(value)!r}) or text."
    # Its text could be another object's id.
    return "A float cannot hold all digits of an id: read ids as text or int."


def _integer(value: Any, path: str, accepted: str = "an integer") -> int:
    if _is_int(value):
        return int(value)
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        return int(value)
    hint = None
    if isinstance(value, datetime):
        hint = "The unit of this time is not documented: pass Unix seconds or milliseconds."
    raise wrong_type(value, path, accepted, hint)


def _number(value: Any, path: str) -> float:
    if _is_int(value):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise wrong_type(value, path, "a number")


def _boolean(value: Any, path: str) -> bool:
    raise wrong_type(value, path, "True or False")


def _unix_time(value: Any, path: str, unit: str) -> int:
    if not isinstance(value, datetime):
        return _integer(value, path, f"an aware datetime or Unix {unit} as an integer")
    seconds = require_aware(value, path).timestamp()
    return int(seconds) if unit == "seconds" else round(seconds * 1000)


def _seconds(value: Any, path: str) -> int:
    return _unix_time(value, path, "seconds")


def _milliseconds(value: Any, path: str) -> int:
    return _unix_time(value, path, "milliseconds")


def _seconds_as_text(value: Any, path: str) -> str:
    return value if isinstance(value, str) else str(_seconds(value, path))


def _milliseconds_as_text(value: Any, path: str) -> str:
    return value if isinstance(value, str) else str(_milliseconds(value, path))


def _date(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    hint = "Pass its date()." if isinstance(value, datetime) else None
    raise wrong_type(value, path, "a date or text such as '2026-11-24'", hint)


_SCALARS: Mapping[Any, Callable[[Any, str], Plain]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _boolean,
    Time.SECONDS: _seconds,
    Time.MILLISECONDS: _milliseconds,
    Time.SECONDS_AS_TEXT: _seconds_as_text,
    Time.MILLISECONDS_AS_TEXT: _milliseconds_as_text,
    Time.DATE: _date,
}
