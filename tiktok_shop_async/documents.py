"""JSON text -> plain Python values, forgiving and without loss."""

from __future__ import annotations

import json
from typing import Any


class NumberAsWritten(float):
    """A number that remembers its text, so that ``1.10`` can still become ``"1.10"``."""

    text: str

    def __new__(cls, text: str) -> NumberAsWritten:  # noqa: D102 - the class says it
        number = super().__new__(cls, text)
        number.text = text
        return number


def load_document(body: bytes) -> Any:
    """Return the values of a JSON document; raises `ValueError` if it is none.

    Takes what strict parsers refuse and services send: a byte order mark, bytes that are no UTF-8,
    half a surrogate pair.
    """
    return json.loads(body.decode("utf-8-sig", "replace"), parse_float=NumberAsWritten)
