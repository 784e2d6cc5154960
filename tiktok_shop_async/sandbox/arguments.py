"""What a call was given, read with its type: a client's slip shows as a refusal that names it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import attrs

from .refusals import invalid

T = TypeVar("T")


def digits(text: str) -> int | None:
    """Return the number that a text of digits is; None for any other text, or one too long."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


@attrs.frozen
class Arguments:
    """Reads values that came as JSON or as text in the query."""

    values: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """Return a text."""
        return self._typed(name, str, "a string")

    def boolean(self, name: str) -> bool | None:
        """Return a truth value."""
        return self._typed(name, bool, "a boolean")

    def integer(self, name: str) -> int | None:
        """Return a number."""
        if isinstance(self.values.get(name), bool):  # which Python takes for an integer
            raise invalid(f"The parameter {name} must be an integer.")
        return self._typed(name, int, "an integer")

    def number_between(self, name: str, low: int, high: int, default: int) -> int:
        """Return a number of the query, where all is text, within bounds."""
        text = self.text(name)
        if text is None:
            return default
        value = digits(text)
        if value is None or not low <= value <= high:
            raise invalid(f"The parameter {name} must be from {low} to {high}.")
        return value

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Return one of some texts."""
        value = self.text(name) or default
        if value not in choices:
            raise invalid(f"The parameter {name} must be one of {', '.join(choices)}.")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; one that is missing is empty."""
        values = self._typed(name, list, "a list of strings") or []
        if not all(isinstance(value, str) for value in values):
            raise invalid(f"The parameter {name} must be a list of strings.")
        return values

    def joined_texts(self, name: str) -> list[str]:
        """Return a list of the query, which is one text with commas."""
        return [value for value in (self.text(name) or "").split(",") if value]

    def objects(self, name: str) -> list[Arguments]:
        """Return a list of objects; one that is missing is empty."""
        values = self._typed(name, list, "a list of objects") or []
        if not all(isinstance(value, dict) for value in values):
            raise invalid(f"The parameter {name} must be a list of objects.")
        return [Arguments(value) for value in values]

    def required_text(self, name: str) -> str:
        """Return a text that must be there."""
        value = self.text(name)
        if not value:
            raise invalid(f"The parameter {name} is required.")
        return value

    def required_integer(self, name: str) -> int:
        """Return a number that must be there."""
        value = self.integer(name)
        if value is None:
            raise invalid(f"The parameter {name} is required.")
        return value

    def _typed(self, name: str, kind: type[T], words: str) -> T | None:
        value = self.values.get(name)
        if value is None or isinstance(value, kind):
            return value
        raise invalid(f"The parameter {name} must be {words}.")
