"""Secrets and personal data in recordings: which fields hold them, and what hides them."""

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
from .finding import Finder
from .json_text import dump_json, json_in, looks_like_json

__all__ = ["MASK", "PERSONAL_FIELDS", "SECRET_FIELDS", "Masking", "split_names", "stays"]

_KEPT = split_names(
    "address_level address_level_name availability country country_code country_name format",
    "height id ids iso_code locale phone_number_region region region_code role status type width",
)
_KEPT_ENDINGS = ("_at", "_count", "_id", "_id_list", "_ids", "_status", "_time", "_type")
_IDENTITY = re.compile(
    r"(?:^|_)(?:identity|national|passport|registry|ssn|tax|vat)_.*ids?(?:_list)?$"
)
"""Names of ids that an authority gave to a person or a business."""
_IS_MEASURED = re.compile(
    r"(?x) (?:^|_) (?: amount|currency|date|fee|language|price|subtotal|tax|time_?zone|total )"
    r" (?: _(?!id|info|number) | $ )"
)
"""Names of sums and dates, which code under test reads as such, and of what they are given in."""
MASK = re.compile(
    r"(?:https://example\.invalid/)?masked-\d+(?:@example\.invalid)?|bWFza2VkL[\w+/]{2,}=*"
)
"""What a mask looks like; the last one is one in base64."""
_SHORTEST_SECRET = 6
_SHORTEST_SENTENCE = 8
_FEWEST_DIGITS = 7
_NOT_FOUND_ELSEWHERE = frozenset({"true", "false", "null", "None", "True", "False"})


class Masking:
    """Replaces text by masks: equal text by equal ones, numbered as they are first met."""

    def __init__(self, secret_fields: frozenset[str], personal_fields: frozenset[str]) -> None:
        self._secret_fields = secret_fields
        self._personal_fields = personal_fields
        self._finder = Finder()
        self._secrets: set[str] = set()
        # No digests: those of a phone number are soon guessed.
        self._numbers: dict[str, int] = {}
        self._are_numbered = True
        self._replaced: dict[tuple[str, bool], str] = {}

    def without_numbers(self) -> Masking:
        """Return one whose masks are all the same, so that it tells apart what is not masked."""
        other = copy(self)
        other._are_numbered, other._replaced = False, {}
        return other

    def add_secrets(self, secrets: Collection[str]) -> None:
        """Take in text that is secret wherever it stands."""
        self._secrets.update(secrets)
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET:
                self._finder.add(secret, inside_words=True)

    def find(self, value: Any, parent: str) -> None:
        """Take in what stands under the name of a secret or of personal data.

        Args:
            value: A request's arguments, or the body of a response.
            parent: The name of the operation.
        """
        for name, text, is_personal in self._leaves(value, parent):
            if name in self._secret_fields:
                self.add_secrets([text])
            elif is_personal and _is_found_elsewhere(text, name):
                self._finder.add(text)

    def find_in_response(self, value: Any, operation: str) -> None:
        """Take in what a response's body holds; see `masked_response`."""
        if not isinstance(value, dict) or "data" not in value:
            self.find(value, operation)
            return
        self.find({name: child for name, child in value.items() if name != "data"}, "")
        self.find(value["data"], operation)

    def masked(self, value: Any, parent: str, *, personal: bool = False) -> Any:
        """Return ``value`` with masks; ``parent`` is the field it is in, or its operation."""
        if isinstance(value, list):
            return [self._masked_field(child, parent, personal) for child in value]
        if not isinstance(value, dict):
            return self._masked_field(value, parent, personal)
        own = select_personal(value, parent, self._personal_fields)
        return {
            self.without_known(key, key): self._masked_field(
                child, key, self._is_personal(key, own, personal)
            )
            for key, child in value.items()
        }

    def masked_response(self, value: Any, operation: str) -> Any:
        """Return a response's body with masks; the fields of its data have the operation's name."""
        if not isinstance(value, dict) or "data" not in value:
            return self.masked(value, operation)
        envelope = {name: child for name, child in value.items() if name != "data"}
        return self.masked(envelope, "") | {
            "data": self._masked_field(value["data"], operation, False)
        }

    def without_known(self, text: str, name: str = "") -> str:
        """Return ``text`` with masks for what is secret or personal in other fields."""
        known = (text, stays(name) or _IS_MEASURED.search(name) is not None)
        if known not in self._replaced:
            self._replaced[known] = self._finder.replace(
                text, self._mask, partial(self._may_be_in, *known)
            )
        return self._replaced[known]

    def mask_of(self, text: str) -> str | None:
        """Return the mask of text that stands somewhere as personal data, in any encoding."""
        known = self._finder.known(text)
        return None if known is None else self._mask(known)

    def _masked_field(self, value: Any, name: str, personal: bool) -> Any:
        if isinstance(value, (dict, list)):
            return self.masked(value, name, personal=personal)
        if value in ("", None) or isinstance(value, bool):
            return value
        is_secret = name in self._secret_fields
        if not isinstance(value, str):  # stays a number: code under test reads it as one
            return self._masked_number(value) if personal or is_secret else value
        nested = None if is_secret else json_in(value)
        if nested is not None:
            return self._masked_json(value, nested, name, personal)
        if not personal and not is_secret and not looks_like_json(value):
            return self.without_known(value, name)
        mask = self._mask(value)
        return base64.b64encode(mask.encode()).decode() if name == "base64" else mask

    def _masked_json(self, text: str, value: Any, name: str, personal: bool) -> str:
        masked = self.masked(value, name, personal=personal)
        if masked == value:
            return text
        masked = dump_json(masked)
        return dump_json(masked) if text.lstrip().startswith('"') else masked

    def _is_personal(self, name: str, own: Collection[str], inherited: bool) -> bool:
        return name in own or name in self._secret_fields or (inherited and not stays(name))

    def _leaves(
        self, value: Any, name: str, *, personal: bool = False
    ) -> Iterator[tuple[str, str, bool]]:
        """Yield text and numbers with the names of their fields, and whether they are personal."""
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
        """Whether ``known`` is looked for in ``text``, which may be a field's that stays."""
        if known in self._secrets:
            return True
        if text in words_of_the_api():
            return False
        # Ids, times, sums and dates are not changed by chance.
        is_long = len(known) >= _SHORTEST_SENTENCE and any(map(str.isalpha, known))
        return is_long or not is_kept

    def _mask(self, text: str) -> str:
        mask = f"masked-{self._number(text)}"
        if re.match("https?://", text):
            return f"https://example.invalid/{mask}"
        return f"{mask}@example.invalid" if "@" in text else mask

    def _masked_number(self, value: float) -> int | float:
        number = self._number(_written(value))
        return number if isinstance(value, int) else float(number)

    def _number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers) + 1) if self._are_numbered else 0


def _written(value: Any) -> str:
    """Return text as it is, and a number as it was written."""
    return value.text if isinstance(value, NumberAsWritten) else str(value)


def _nested(value: Any) -> Any:
    return json_in(value) if isinstance(value, str) else None


def stays(name: str) -> bool:
    """Whether a field stays readable in an object that is personal as a whole.

    Ids, regions, kinds, states and times make a recording of use.
    """
    return name in _KEPT or (name.endswith(_KEPT_ENDINGS) and _IDENTITY.search(name) is None)


def _is_found_elsewhere(text: str, name: str) -> bool:
    """Whether personal text is also masked in other fields: not if it means something else there.

    Sentences of a word, numbers of a few digits, single letters and the API's own words would
    damage what has nothing to do with them.
    """
    if text in words_of_the_api() or text in _NOT_FOUND_ELSEWHERE or name == "base64":
        return False
    if not any(each.isalpha() for each in text):
        return sum(each.isdigit() for each in text) >= _FEWEST_DIGITS
    shortest = _SHORTEST_SENTENCE if name in WRITTEN_FIELDS else 3
    return len(text) >= shortest or len(text.encode("utf-8", "replace")) > shortest
