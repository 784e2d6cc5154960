"""Arguments of a call, after `validation` has checked their types."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs

from ..error_responses import invalid


def digits(text: str) -> int | None:
    """Return the number in a text of at most 19 digits; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


@attrs.frozen
class Arguments:
    """Arguments from a JSON body or a query, by name."""

    values: Mapping[str, Any]
    path: str = ""
    """Path of the values in the body, which error messages show before a name."""

    def text(self, name: str) -> str | None:
        """Return a text; None if it is missing."""
        value: str | None = self.values.get(name)
        return value

    def boolean(self, name: str) -> bool | None:
        """Return a boolean; None if it is missing."""
        value: bool | None = self.values.get(name)
        return value

    def integer(self, name: str) -> int | None:
        """Return an integer; None if it is missing."""
        value: int | None = self.values.get(name)
        return value

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Return a text that must be one of the choices."""
        value = self.text(name) or default
        if value not in choices:
            raise invalid(f"The parameter {self.path}{name} must be one of {', '.join(choices)}.")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; empty if it is missing."""
        return list(self.values.get(name) or ())

    def joined_texts(self, name: str) -> list[str]:
        """Return a list from the query, where it is one text joined by commas."""
        return [value for value in (self.text(name) or "").split(",") if value]

    def objects(self, name: str) -> list[Arguments]:
        """Return a list of objects; empty if it is missing."""
        values = self.values.get(name) or ()
        return [Arguments(value, f"{self.path}{name}[{at}].") for at, value in enumerate(values)]

    def object(self, name: str) -> Arguments:
        """Return an object; empty if it is missing."""
        return Arguments(self.values.get(name) or {}, f"{self.path}{name}.")

    def required_text(self, name: str) -> str:
        """Return a required text."""
        value = self.text(name)
        if not value:
            raise invalid(f"The parameter {self.path}{name} is required.")
        return value

    def required_integer(self, name: str) -> int:
        """Return a required integer."""
        value = self.integer(name)
        if value is None:
            raise invalid(f"The parameter {self.path}{name} is required.")
        return value
