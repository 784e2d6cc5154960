"""The second path of decoding: a document that does not fit its model, by cattrs.

What loses nothing is coerced: a number where text was promised, text that is a number. What cannot
be is left out and reported with its path. Nothing raises, not even a hook that a user registered.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, TypeVar, get_args

import attrs
import cattrs

from .._internal.lenient_json import NumberAsWritten
from ..response import DecodingIssue
from .plain_values import expected_in_place_of, is_not_finite, issues_within, json_type

logger = logging.getLogger("tiktok_shop_async.decoding")

M = TypeVar("M")
Hook = Callable[[Any, Any], Any]

_issues: ContextVar[list[DecodingIssue]] = ContextVar("issues of the document being read")


class _MismatchError(Exception):
    """A value is not of the promised type, and coercing it would lose something."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


def structure_leniently(model: type[M], document: Any) -> tuple[M, tuple[DecodingIssue, ...]]:
    """Return ``document`` as a ``model``, and what of it could not be coerced."""
    issues: list[DecodingIssue] = []
    reset = _issues.set(issues)
    try:
        structured = converter.structure(document, model)
    except _MismatchError as mismatch:
        return model(), (_issue("", mismatch, document),)
    except Exception:  # of a hook that was registered on `converter`
        logger.exception("a structure hook failed on %s", model)
        return model(), (_issue("", _MismatchError(_name_of(model)), document),)
    finally:
        _issues.reset(reset)
    return structured, tuple(issues)


def _text(value: Any, _type: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, NumberAsWritten):
        return value.text
    if isinstance(value, (int, float)) and not is_not_finite(value):
        return str(value)
    raise _MismatchError("string")


def _integer(value: Any, _type: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_WHOLE:
        exact = Decimal(value.text if isinstance(value, NumberAsWritten) else value)
        if exact == exact.to_integral_value():
            return int(exact)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise _MismatchError("integer")


_MAX_WHOLE = 1e18
"""No count or time is larger, and ``1e308`` is not to become an integer of 309 digits."""


def _number(value: Any, _type: Any) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            pass
        else:
            if math.isfinite(number):
                return number
    raise _MismatchError("number")


def _boolean(value: Any, _type: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    raise _MismatchError("boolean")


def _mapping(value: Any, _type: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        _issues.get().extend(issues_within(value))
        return value
    raise _MismatchError("object")


def _anything(value: Any, _type: Any) -> Any:
    expected = expected_in_place_of(value)
    if expected is not None:
        raise _MismatchError(expected)
    _issues.get().extend(issues_within(value))
    return value


def _model_hook(model: type[Any], converter: cattrs.Converter) -> Hook:
    readers = [
        (field.name, field.metadata.get("wire_name", field.name), field.type)
        for field in attrs.fields(attrs.resolve_types(model))
    ]

    def structure(value: Any, _type: Any) -> Any:
        if not isinstance(value, dict):
            raise _MismatchError("object")
        found: dict[str, Any] = {}
        for attribute, wire, promised in readers:
            if value.get(wire) is not None:
                _structure_part(converter, found, attribute, wire, value[wire], promised)
        return model(**found)

    return structure


def _list_hook(promised: Any, converter: cattrs.Converter) -> Hook:
    (item_type,) = get_args(promised)

    def structure(value: Any, _type: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _MismatchError("array")
        found: dict[int, Any] = {}
        for index, item in enumerate(value):
            _structure_part(converter, found, index, f"[{index}]", item, item_type)
        return list(found.values())

    return structure


def _structure_part(
    converter: cattrs.Converter,
    found: dict[Any, Any],
    key: Any,
    step: str,
    value: Any,
    promised: Any,
) -> None:
    """Put ``value`` into ``found``, or report why not; ``step`` is its part of the path."""
    issues = _issues.get()
    before = len(issues)
    try:
        found[key] = converter.structure(value, promised)
    except _MismatchError as mismatch:
        issues[before:] = [_issue(step, mismatch, value)]
    except Exception:  # of a hook that was registered on `converter`
        logger.exception("a structure hook failed on %s", promised)
        issues[before:] = [_issue(step, _MismatchError(_name_of(promised)), value)]
    else:
        issues[before:] = [
            attrs.evolve(issue, path=_joined(step, issue.path)) for issue in issues[before:]
        ]


def _name_of(promised: Any) -> str:
    return getattr(promised, "__name__", str(promised))


def _joined(step: str, path: str) -> str:
    return step + path if path.startswith("[") else f"{step}.{path}"


def _issue(path: str, mismatch: _MismatchError, value: Any) -> DecodingIssue:
    return DecodingIssue(path=path, expected=mismatch.expected, found=json_type(value))


def _new_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    for scalar, hook in ((str, _text), (int, _integer), (float, _number), (bool, _boolean)):
        converter.register_structure_hook(scalar, hook)
    converter.register_structure_hook_factory(attrs.has, _model_hook)
    converter.register_structure_hook_factory(_is_list, _list_hook)
    converter.register_structure_hook_func(_is_mapping, _mapping)
    converter.register_structure_hook_func(lambda promised: promised is Any, _anything)
    return converter


def _is_list(promised: Any) -> bool:
    return getattr(promised, "__origin__", None) is list


def _is_mapping(promised: Any) -> bool:
    return getattr(promised, "__origin__", None) is dict


converter = _new_converter()
"""Structures answers that do not fit; register hooks on it to read a model's fields your way."""
