"""Secrets and personal data in recordings: which fields hold them, and what hides them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from .._personal_data import PERSONAL_FIELDS, SECRET_FIELDS, names_of
from ..redaction import replace_all_forms

__all__ = ["MASK", "PERSONAL_FIELDS", "SECRET_FIELDS", "Masking", "json_in", "names_of", "stays"]

_KEPT = names_of("address_level address_level_name iso_code region region_code")
MASK = re.compile(r"masked-\d+(@example\.invalid)?")
_SHORTEST_SECRET = 6
"""Shorter text is masked where it stands, and not looked for elsewhere."""


class Masking:
    """Replaces text by masks: equal text by equal ones, numbered as they are first met."""

    def __init__(self, secret_fields: frozenset[str], personal_fields: frozenset[str]) -> None:
        self.secrets: set[str] = set()
        self._secret_fields = secret_fields
        self._personal_fields = personal_fields
        # No digests: those of a phone number are soon guessed.
        self._numbers: dict[str, int] = {}

    def find_secrets(self, value: Any, name: str = "") -> None:
        """Take in what stands under a secret's name."""
        for child_name, child in _children(value):
            self.find_secrets(child, child_name or name)
        if isinstance(value, str):
            if name in self._secret_fields:
                self.secrets.add(value)
            elif (nested := json_in(value)) is not None:
                self.find_secrets(nested)

    def masked(self, value: Any, name: str = "", *, personal: bool = False) -> Any:
        """Return ``value`` with masks; ``name`` is the field it stands in."""
        personal = (personal or name in self._personal_fields) and not stays(name)
        if isinstance(value, dict):
            return {key: self.masked(child, key, personal=personal) for key, child in value.items()}
        if isinstance(value, list):
            return [self.masked(child, name, personal=personal) for child in value]
        if value in ("", None) or isinstance(value, bool):
            return value
        if personal or name in self._secret_fields:
            return self._mask(str(value))
        return self._without_secrets(value) if isinstance(value, str) else value

    def _without_secrets(self, text: str) -> str:
        nested = json_in(text)
        if nested is not None:
            masked = self.masked(nested)
            return text if masked == nested else json.dumps(masked, ensure_ascii=False)
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = replace_all_forms(text, secret, partial(self._mask, secret))
        return text

    def _mask(self, text: str) -> str:
        number = self._numbers.setdefault(text, len(self._numbers) + 1)
        return f"masked-{number}@example.invalid" if "@" in text else f"masked-{number}"


def stays(name: str) -> bool:
    """Whether a field is never masked: ids and regions, which make a recording of use."""
    return name in _KEPT or name in ("id", "ids") or name.endswith(("_id", "_ids"))


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from (("", child) for child in value)


def json_in(text: str) -> Any:
    """Return the object or list that ``text`` is the JSON of; some fields hold such text."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
