"""Checks of numbers, choices and field names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs

from ...registry import did_you_mean
from .json_input import shortened


def check_number(value: object, name: str, low: float, high: float, *, whole: bool = False) -> None:
    """Reject anything but a number within bounds, including bools, NaN and infinity."""
    kinds = (int,) if whole else (int, float)
    is_valid = isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
    if not is_valid:
        kind = "an integer" if whole else "a number"
        raise ValueError(
            f"{name} must be {kind} from {low:.15g} to {high:.15g}, not {shortened(value)}"
        )


def one_of(*choices: object) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Return an attrs validator that accepts only the given values, compared with their types."""

    def validate(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not any(value == each and type(value) is type(each) for each in choices):
            accepted = ", ".join(str(each) for each in choices)
            suggestion = did_you_mean(value, map(str, choices)) if isinstance(value, str) else ""
            raise ValueError(
                f"{attribute.name} must be one of {accepted}, not {shortened(value)}.{suggestion}"
            )

    return validate


def between(
    low: float, high: float, *, whole: bool = False, optional: bool = False
) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Return an attrs validator that accepts only a number within bounds."""

    def validate(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not (optional and value is None):
            check_number(value, attribute.name, low, high, whole=whole)

    return validate


def check_fields(document: Mapping[str, Any], fields: Collection[str], name: str) -> None:
    """Reject a document with a field that is not among ``fields``."""
    unexpected = next((field for field in document if field not in fields), None)
    if unexpected is not None:
        raise ValueError(
            f"{name} has an unexpected field {shortened(unexpected)}; accepted are "
            f"{', '.join(fields)}"
        )
