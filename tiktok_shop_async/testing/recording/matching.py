"""Whether a request is one that a recording has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .json_text import json_in
from .masking import MASK, PERSONAL_FIELDS, SECRET_FIELDS

_MASKED = PERSONAL_FIELDS | SECRET_FIELDS


def is_recorded(
    recorded: Mapping[str, Any], sent: Mapping[str, Any], ignore: frozenset[str]
) -> bool:
    """Return whether a described request fits a recorded one, but for the names in ``ignore``."""
    return _fits(_by_segments(recorded), _by_segments(sent), ignore)


def _by_segments(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request whose path is compared segment by segment; a mask is never two of them."""
    operation = request["operation"]
    called = request["method"] if "/" in operation else operation
    return {**request, "operation": called, "path": request["path"].split("/")}


def _fits(recorded: Any, sent: Any, ignore: frozenset[str], *, masked: bool = False) -> bool:
    """Whether ``sent`` is what was recorded: a mask fits any text, a masked number any number."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        return all(
            name in ignore
            or (
                name in recorded
                and name in sent
                and _fits(recorded[name], sent[name], ignore, masked=masked or name in _MASKED)
            )
            for name in recorded.keys() | sent.keys()
        )
    if isinstance(recorded, list) and isinstance(sent, list):
        return len(recorded) == len(sent) and all(
            _fits(one, other, ignore, masked=masked)
            for one, other in zip(recorded, sent, strict=True)
        )
    if isinstance(recorded, str) and recorded != sent:
        nested = json_in(recorded)
        if nested is not None and isinstance(sent, str):
            return _fits(nested, json_in(sent), ignore, masked=masked)
        is_text = not isinstance(sent, (dict, list))
        return is_text and _pattern(recorded).fullmatch(str(sent)) is not None
    return bool(recorded == sent) or (masked and _are_numbers(recorded, sent))


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in values)


@lru_cache(maxsize=1024)
def _pattern(recorded: str) -> re.Pattern[str]:
    """Return what matches recorded text with anything in place of its masks."""
    fixed = (re.escape(part) for part in MASK.split(recorded))
    return re.compile(".+".join(fixed), re.DOTALL)
