"""Comparison of the requests of a replay with recorded ones."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from ..._internal.personal_data import select_personal
from .json_text import parse_nested_json
from .masking import MASK, PERSONAL_FIELDS, SECRET_FIELDS, is_readable


class Matcher:
    """Compares requests as `describe` returns them: a recorded one, and one that is sent."""

    def __init__(self, ignored: Collection[str], more_fields: Collection[str] = ()) -> None:
        """Initialize a matcher.

        Args:
            ignored: Names of arguments that may differ.
            more_fields: Fields that were masked beside `PERSONAL_FIELDS` and `SECRET_FIELDS`.
        """
        self.ignored = ignored
        self._masked_fields = PERSONAL_FIELDS.union(SECRET_FIELDS, more_fields)

    def matches(self, recorded: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
        """Return whether the request that is sent matches the recorded one."""
        one, other = _comparable(recorded), _comparable(sent)
        parent = recorded["operation"].rpartition(".")[2]
        return one.keys() | self.ignored == other.keys() | self.ignored and all(
            name in self.ignored or self._is_match(one[name], other[name], parent) for name in one
        )

    def _is_match(self, recorded: Any, sent: Any, parent: str, *, masked: bool = False) -> bool:
        """Return whether values match: a mask matches any text, a masked number any number."""
        if isinstance(recorded, dict) and isinstance(sent, dict):
            return self._are_fields(recorded, sent, parent, masked=masked)
        if isinstance(recorded, list) and isinstance(sent, list):
            return len(recorded) == len(sent) and all(
                self._is_match(one, other, parent, masked=masked)
                for one, other in zip(recorded, sent, strict=True)
            )
        if isinstance(recorded, str) and recorded != sent:
            nested = parse_nested_json(recorded)
            if nested is not None and isinstance(sent, str):
                return self._is_match(nested, parse_nested_json(sent), parent, masked=masked)
            return not isinstance(sent, (dict, list)) and _is_text_match(recorded, str(sent))
        return bool(recorded == sent) or (masked and _are_numbers(recorded, sent))

    def _are_fields(
        self, recorded: dict[str, Any], sent: dict[str, Any], parent: str, *, masked: bool
    ) -> bool:
        own = select_personal(recorded, parent, self._masked_fields)
        return all(
            name in self.ignored
            or (
                name in recorded
                and name in sent
                and self._is_match(
                    recorded[name],
                    sent[name],
                    name,
                    masked=name in own or (masked and not is_readable(name)),
                )
            )
            for name in recorded.keys() | sent.keys()
        )


def called(request: Mapping[str, Any]) -> str:
    """Return the id of the operation that a request calls, or the method of an unknown one."""
    operation: str = request["operation"]
    return request["method"] if "/" in operation else operation


def _comparable(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request with the segments of its path; a mask never matches two of them."""
    return {**request, "operation": called(request), "path": request["path"].split("/")}


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in values)


def _is_text_match(recorded: str, sent: str) -> bool:
    if MASK.search(recorded) is None:
        return recorded == sent
    return _pattern(recorded).fullmatch(sent) is not None


@lru_cache(maxsize=1024)
def _pattern(recorded: str) -> re.Pattern[str]:
    """Return a pattern for recorded text, with any text in place of its masks.

    Text between two masks matches only where it first occurs. This is enough, and keeps the time
    linear in the number of masks.
    """
    first, *between, last = map(re.escape, MASK.split(recorded))
    return re.compile(f"{first}{''.join(f'(?>.+?{part})' for part in between)}.+{last}", re.DOTALL)
