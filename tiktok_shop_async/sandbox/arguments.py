"""What a call was given, read as what `validation` has found it to be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs

from .error_responses import invalid


def digits(text: str) -> int | None:
    """Return the number that a text of digits is; None for any other text, or one too long."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


@attrs.frozen
class Arguments:
    """Reads values that came as JSON or as text in the query."""

    values: Mapping[str, Any]
    path: str = ""
    """What goes before a name in messages: where in the body the values are."""

    def text(self, name: str) -> str | None:
        """Return a text."""
        value: str | None = self.values.get(name)
        return value

    def boolean(self, name: str) -> bool | None:
        """Return a truth value."""
        value: bool | None = self.values.get(name)
        return value

    def integer(self, name: str) -> int | None:
        """Return a number."""
        value: int | None = self.values.get(name)
        return value

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Return one of some texts."""
        value = self.text(name) or default
        if value not in choices:
            raise invalid(f"The parameter {self.path}{name} must be one of {', '.join(choices)}.")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; one that is missing is empty."""
        return list(self.values.get(name) or ())

    def joined_texts(self, name: str) -> list[str]:
        """Return a list of the query, which is one text with commas."""
        return [value for value in (self.text(name) or "").split(",") if value]

    def objects(self, name: str) -> list[Arguments]:
        """Return a list of objects; one that is missing is empty."""
        values = self.values.get(name) or ()
        return [Arguments(value, f"{self.path}{name}[{at}].") for at, value in enumerate(values)]

    def object(self, name: str) -> Arguments:
        """Return an object; one that is missing is empty."""
        return Arguments(self.values.get(name) or {}, f"{self.path}{name}.")

    def required_text(self, name: str) -> str:
        """Return a text that must be there."""
        value = self.text(name)
        if not value:
            raise invalid(f"The parameter {self.path}{name} is required.")
        return value

    def required_integer(self, name: str) -> int:
        """Return a number that must be there."""
        value = self.integer(name)
        if value is None:
            raise invalid(f"The parameter {self.path}{name} is required.")
        return value
