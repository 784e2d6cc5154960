"""The second path of decoding, by cattrs, for documents that do not match their model.

A value of the wrong type is converted if that loses nothing, such as a number where text is
documented. Otherwise its field is left empty, and an issue with its path is reported. Nothing
raises, not even a hook that a user registered.
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
from .plain_values import find_mismatch, is_not_finite, json_type, remove_invalid_values

logger = logging.getLogger("tiktok_shop_async.decoding")

M = TypeVar("M")
Hook = Callable[[Any, Any], Any]

_issues: ContextVar[list[DecodingIssue]] = ContextVar("issues of the document being read")


class _MismatchError(Exception):
    """A value is not of the documented type, and cannot be converted without loss."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


def structure_leniently(model: type[M], document: Any) -> tuple[M, tuple[DecodingIssue, ...]]:
    """Return ``document`` as a ``model``, and an issue for each value that cannot be converted."""
    issues: list[DecodingIssue] = []
    reset = _issues.set(issues)
    try:
        structured = converter.structure(document, model)
    except _MismatchError as mismatch:
        return model(), (_issue("", mismatch, document),)
    except Exception:  # raised by a hook that a user registered on `converter`
        logger.exception("a structure hook failed on %s", model)
        return model(), (_issue("", _MismatchError(_type_name(model)), document),)
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
"""Larger than every count and time; ``1e308`` must not become an integer of 309 digits."""


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
        _issues.get().extend(remove_invalid_values(value))
        return value
    raise _MismatchError("object")


def _anything(value: Any, _type: Any) -> Any:
    expected = find_mismatch(value)
    if expected is not None:
        raise _MismatchError(expected)
    _issues.get().extend(remove_invalid_values(value))
    return value


def _model_hook(model: type[Any], converter: cattrs.Converter) -> Hook:
    readers = [
        (field.name, field.metadata.get("wire_name", field.name), field.type)
        for field in attrs.fields(attrs.resolve_types(model))
    ]

    def structure(value: Any, _type: Any) -> Any:
        if not isinstance(value, dict):
            raise _MismatchError("object")
        arguments: dict[str, Any] = {}
        for attribute, wire, expected in readers:
            if value.get(wire) is not None:
                part = _structure_part(converter, wire, value[wire], expected)
                if part is not _REJECTED:
                    arguments[attribute] = part
        return model(**arguments)

    return structure


def _list_hook(list_type: Any, converter: cattrs.Converter) -> Hook:
    (item_type,) = get_args(list_type)

    def structure(value: Any, _type: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _MismatchError("array")
        parts = [
            _structure_part(converter, f"[{index}]", item, item_type)
            for index, item in enumerate(value)
        ]
        return [part for part in parts if part is not _REJECTED]

    return structure


_REJECTED = object()


def _structure_part(converter: cattrs.Converter, step: str, value: Any, expected: Any) -> Any:
    """Return a structured part of a document, or `_REJECTED` after reporting an issue.

    ``step`` is the part's own segment of the path.
    """
    issues = _issues.get()
    before = len(issues)
    try:
        structured = converter.structure(value, expected)
    except _MismatchError as mismatch:
        issues[before:] = [_issue(step, mismatch, value)]
    except Exception:  # raised by a hook that a user registered on `converter`
        logger.exception("a structure hook failed on %s", expected)
        issues[before:] = [_issue(step, _MismatchError(_type_name(expected)), value)]
    else:
        issues[before:] = [
            attrs.evolve(issue, path=_join(step, issue.path)) for issue in issues[before:]
        ]
        return structured
    return _REJECTED


def _type_name(expected: Any) -> str:
    return getattr(expected, "__name__", str(expected))


def _join(step: str, path: str) -> str:
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
    converter.register_structure_hook_func(lambda expected: expected is Any, _anything)
    return converter


def _is_list(expected: Any) -> bool:
    return getattr(expected, "__origin__", None) is list


def _is_mapping(expected: Any) -> bool:
    return getattr(expected, "__origin__", None) is dict


converter = _new_converter()
"""The converter of the second path; register hooks on it to convert a model's fields yourself."""
