"""Bounds of numbers that rules, limits and control requests have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from ..registry import did_you_mean
from .json_input import shortened


def check_number(value: object, name: str, low: float, high: float, *, whole: bool = False) -> None:
    """Reject anything but a number within bounds; a bool, NaN or infinity is none."""
    kinds = (int,) if whole else (int, float)
    fits = isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
    if not fits:
        kind = "an integer" if whole else "a number"
        raise ValueError(
            f"{name} must be {kind} from {low:.15g} to {high:.15g}, not {shortened(value)}"
        )


def one_of(*choices: object) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Return an attrs validator that rejects anything but some values; 1 is not True."""

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
    """Return an attrs validator that rejects anything but a number within bounds."""

    def validate(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not (optional and value is None):
            check_number(value, attribute.name, low, high, whole=whole)

    return validate
