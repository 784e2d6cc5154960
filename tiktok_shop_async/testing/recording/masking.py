"""Masking of secrets and personal data in recordings."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator
from copy import copy
from functools import partial
from typing import Any

from ..._internal.lenient_json import NumberAsWritten
from ..._internal.personal_data import (
    PERSONAL_FIELDS,
    SECRET_FIELDS,
    WRITTEN_FIELDS,
    select_personal,
    split_names,
)
from ...spec.shapes import words_of_the_api
from .json_text import dump_json, looks_like_json, parse_nested_json
from .text_finder import TextFinder

__all__ = ["MASK", "PERSONAL_FIELDS", "SECRET_FIELDS", "Masking", "is_readable", "split_names"]

_READABLE = split_names(
    "address_level address_level_name availability country country_code country_name format",
    "height id ids iso_code locale phone_number_region region region_code role status type width",
)
_READABLE_ENDINGS = ("_at", "_count", "_id", "_id_list", "_ids", "_status", "_time", "_type")
_IDENTITY = re.compile(
    r"(?:^|_)(?:identity|national|passport|registry|ssn|tax|vat)_.*ids?(?:_list)?$"
)
"""Names of identity and tax numbers, which identify a person although they are ids."""
_IS_MEASURED = re.compile(
    r"(?x) (?:^|_) (?: amount|currency|date|fee|language|price|subtotal|tax|time_?zone|total )"
    r" (?: _(?!id|info|number) | $ )"
)
"""Names of sums, dates, currencies and time zones, which code under test parses."""
MASK = re.compile(
    r"(?:https://example\.invalid/)?masked-\d+(?:@example\.invalid)?|bWFza2VkL[\w+/]{2,}=*"
)
"""The forms of a mask; the last one is base64."""
_MIN_SECRET_LENGTH = 6
_MIN_SENTENCE_LENGTH = 8
_MIN_DIGITS = 7
_LITERALS = frozenset({"true", "false", "null", "None", "True", "False"})


class Masking:
    """Replaces text with masks: equal text with equal masks, numbered in order of occurrence."""

    def __init__(self, secret_fields: frozenset[str], personal_fields: frozenset[str]) -> None:
        self._secret_fields = secret_fields
        self._personal_fields = personal_fields
        self._finder = TextFinder()
        self._secrets: set[str] = set()
        # Not digests: the digest of a phone number can be reversed by trying all numbers.
        self._numbers: dict[str, int] = {}
        self._are_numbered = True
        self._replaced: dict[tuple[str, bool], str] = {}

    def without_numbers(self) -> Masking:
        """Return a copy whose masks all have the same number."""
        other = copy(self)
        other._are_numbered, other._replaced = False, {}
        return other

    def add_secrets(self, secrets: Collection[str]) -> None:
        """Add text that is secret in any field."""
        self._secrets.update(secrets)
        for secret in secrets:
            if len(secret) >= _MIN_SECRET_LENGTH:
                self._finder.add(secret, inside_words=True)

    def collect(self, value: Any, parent: str) -> None:
        """Add the values of fields that hold secrets or personal data.

        Args:
            value: The arguments of a request, or the body of a response.
            parent: The name of the operation.
        """
        for name, text, is_personal in self._leaves(value, parent):
            if name in self._secret_fields:
                self.add_secrets([text])
            elif is_personal and _is_distinctive(text, name):
                self._finder.add(text)

    def collect_from_response(self, value: Any, operation: str) -> None:
        """Add the secrets and personal data of a response's body; see `mask_response`."""
        if not isinstance(value, dict) or "data" not in value:
            self.collect(value, operation)
            return
        self.collect({name: child for name, child in value.items() if name != "data"}, "")
        self.collect(value["data"], operation)

    def mask(self, value: Any, parent: str, *, personal: bool = False) -> Any:
        """Return ``value`` with masks; ``parent`` is the field that holds it, or its operation."""
        if isinstance(value, list):
            return [self._mask_field(child, parent, personal) for child in value]
        if not isinstance(value, dict):
            return self._mask_field(value, parent, personal)
        own = select_personal(value, parent, self._personal_fields)
        return {
            self.mask_known(key, key): self._mask_field(
                child, key, self._is_personal(key, own, personal)
            )
            for key, child in value.items()
        }

    def mask_response(self, value: Any, operation: str) -> Any:
        """Return a response's body with masks; the operation is the parent of its data's fields."""
        if not isinstance(value, dict) or "data" not in value:
            return self.mask(value, operation)
        envelope = {name: child for name, child in value.items() if name != "data"}
        return self.mask(envelope, "") | {"data": self._mask_field(value["data"], operation, False)}

    def mask_known(self, text: str, name: str = "") -> str:
        """Return ``text`` with masks for text that is secret or personal in other fields."""
        known = (text, is_readable(name) or _IS_MEASURED.search(name) is not None)
        if known not in self._replaced:
            self._replaced[known] = self._finder.replace(
                text, self._mask_for, partial(self._may_be_in, *known)
            )
        return self._replaced[known]

    def mask_if_known(self, text: str) -> str | None:
        """Return the mask of text that is secret or personal in another field, else None."""
        known = self._finder.find_equal(text)
        return None if known is None else self._mask_for(known)

    def _mask_field(self, value: Any, name: str, personal: bool) -> Any:
        if isinstance(value, (dict, list)):
            return self.mask(value, name, personal=personal)
        if value in ("", None) or isinstance(value, bool):
            return value
        is_secret = name in self._secret_fields
        if not isinstance(value, str):  # code under test expects a number
            return self._mask_number(value) if personal or is_secret else value
        nested = None if is_secret else parse_nested_json(value)
        if nested is not None:
            return self._mask_json(value, nested, name, personal)
        if not personal and not is_secret and not looks_like_json(value):
            return self.mask_known(value, name)
        mask = self._mask_for(value)
        return base64.b64encode(mask.encode()).decode() if name == "base64" else mask

    def _mask_json(self, text: str, value: Any, name: str, personal: bool) -> str:
        masked = self.mask(value, name, personal=personal)
        if masked == value:
            return text
        masked = dump_json(masked)
        return dump_json(masked) if text.lstrip().startswith('"') else masked

    def _is_personal(self, name: str, own: Collection[str], inherited: bool) -> bool:
        return name in own or name in self._secret_fields or (inherited and not is_readable(name))

    def _leaves(
        self, value: Any, name: str, *, personal: bool = False
    ) -> Iterator[tuple[str, str, bool]]:
        """Yield the name and text of each text and number, and whether it is personal."""
        if isinstance(value, list):
            for child in value:
                yield from self._leaves(child, name, personal=personal)
        elif isinstance(value, dict):
            own = select_personal(value, name, self._personal_fields)
            for key, child in value.items():
                yield from self._leaves(child, key, personal=self._is_personal(key, own, personal))
        elif name not in self._secret_fields and (nested := _nested(value)) is not None:
            yield from self._leaves(nested, name, personal=personal)
        elif value not in ("", None) and not isinstance(value, bool):
            yield name, _written(value), personal

    def _may_be_in(self, text: str, is_kept: bool, known: str) -> bool:
        """Return whether to search for ``known`` in ``text``: in kept text only if it is long."""
        if known in self._secrets:
            return True
        if text in words_of_the_api():
            return False
        # Only long text is unlikely to occur by chance in ids, times, sums and dates.
        is_long = len(known) >= _MIN_SENTENCE_LENGTH and any(map(str.isalpha, known))
        return is_long or not is_kept

    def _mask_for(self, text: str) -> str:
        mask = f"masked-{self._number(text)}"
        if re.match("https?://", text):
            return f"https://example.invalid/{mask}"
        return f"{mask}@example.invalid" if "@" in text else mask

    def _mask_number(self, value: float) -> int | float:
        number = self._number(_written(value))
        return number if isinstance(value, int) else float(number)

    def _number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers) + 1) if self._are_numbered else 0


def _written(value: Any) -> str:
    """Return text unchanged, and a number in its original spelling."""
    return value.text if isinstance(value, NumberAsWritten) else str(value)


def _nested(value: Any) -> Any:
    return parse_nested_json(value) if isinstance(value, str) else None


def is_readable(name: str) -> bool:
    """Return whether a field stays readable in an object that is personal as a whole.

    A replay needs ids, regions, kinds, states and times.
    """
    return name in _READABLE or (
        name.endswith(_READABLE_ENDINGS) and _IDENTITY.search(name) is None
    )


def _is_distinctive(text: str, name: str) -> bool:
    """Return whether personal text is also masked in other fields.

    Sentences of one word, numbers of a few digits, single letters and words of the API would match
    unrelated text.
    """
    if text in words_of_the_api() or text in _LITERALS or name == "base64":
        return False
    if not any(each.isalpha() for each in text):
        return sum(each.isdigit() for each in text) >= _MIN_DIGITS
    min_length = _MIN_SENTENCE_LENGTH if name in WRITTEN_FIELDS else 3
    return len(text) >= min_length or len(text.encode("utf-8", "replace")) > min_length
