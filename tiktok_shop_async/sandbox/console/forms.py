"""Submitted forms of the console, with checks of their values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

import attrs
from starlette.requests import Request

from ..inputs.amounts import parse_amount
from ..inputs.bounded_body import bounded_body
from ..inputs.json_input import shortened

MAX_FIELDS = 2000

_WHOLE = re.compile(r"[0-9]{1,9}")


@attrs.frozen
class Form:
    """The fields of a submitted form; empty ones count as missing."""

    fields: Mapping[str, list[str]]

    @classmethod
    async def of(cls, request: Request) -> Form:
        """Return the form of a request."""
        text = (await bounded_body(request)).decode("utf-8", "replace")
        return cls(parse_qs(text, errors="replace", max_num_fields=MAX_FIELDS))

    def text(self, name: str) -> str:
        """Return the text of a field; empty if it is missing."""
        return self.fields.get(name, [""])[0].strip()

    def texts(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self.fields.get(name, [])

    def required(self, name: str) -> str:
        """Return the text of a required field."""
        text = self.text(name)
        if not text:
            raise ValueError(f"{name.capitalize()} is required.")
        return text

    def choice(self, name: str, label: str, choices: Sequence[str]) -> str | None:
        """Return a field's text that must be one of the choices; None if it is missing."""
        text = self.text(name)
        if text and text not in choices:
            raise ValueError(f"{label} must be one of {', '.join(choices)}, not {shortened(text)}.")
        return text or None

    def whole(self, name: str, label: str, *, minimum: int = 1) -> int | None:
        """Return a field's integer; None if it is missing."""
        text = self.text(name)
        if not text:
            return None
        if not _WHOLE.fullmatch(text) or int(text) < minimum:
            raise ValueError(
                f"{label} must be a whole number from {minimum} to 999,999,999, "
                f"not {shortened(text)}."
            )
        return int(text)

    def number(self, name: str, label: str, *, maximum: float = 1e9) -> float | None:
        """Return a field's number; None if it is missing."""
        text = self.text(name)
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number <= maximum:
            raise ValueError(
                f"{label} must be a number from 0 to {maximum:,.0f}, not {shortened(text)}."
            )
        return number

    def amount(self, name: str, label: str) -> int:
        """Return a required amount such as 12.50 in cents."""
        text = self.required(name)
        cents = parse_amount(text, max_digits=11)
        if cents is None:
            raise ValueError(f"{label} must be an amount such as 12.50, not {shortened(text)}.")
        return cents
