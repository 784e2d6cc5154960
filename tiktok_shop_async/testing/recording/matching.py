"""Whether a request is one that a recording has."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from ..._internal.personal_data import select_personal
from .json_text import json_in
from .masking import MASK, PERSONAL_FIELDS, SECRET_FIELDS, stays


class Matcher:
    """Compares requests as `describe` returns them: a recorded one, and one that is sent."""

    def __init__(self, ignore: Collection[str], more_fields: Collection[str] = ()) -> None:
        """Compare all but arguments in ``ignore``; ``more_fields`` were masked on request."""
        self._ignore = ignore
        self._masked_fields = PERSONAL_FIELDS.union(SECRET_FIELDS, more_fields)

    def is_recorded(self, recorded: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
        """Return whether the request that is sent fits the recorded one."""
        one, other = _by_segments(recorded), _by_segments(sent)
        parent = recorded["operation"].rpartition(".")[2]
        return one.keys() | self._ignore == other.keys() | self._ignore and all(
            name in self._ignore or self._fits(one[name], other[name], parent) for name in one
        )

    def _fits(self, recorded: Any, sent: Any, parent: str, *, masked: bool = False) -> bool:
        """Whether ``sent`` is what was recorded: a mask fits any text, a masked number any."""
        if isinstance(recorded, dict) and isinstance(sent, dict):
            return self._are_fields(recorded, sent, parent, masked=masked)
        if isinstance(recorded, list) and isinstance(sent, list):
            return len(recorded) == len(sent) and all(
                self._fits(one, other, parent, masked=masked)
                for one, other in zip(recorded, sent, strict=True)
            )
        if isinstance(recorded, str) and recorded != sent:
            nested = json_in(recorded)
            if nested is not None and isinstance(sent, str):
                return self._fits(nested, json_in(sent), parent, masked=masked)
            is_text = not isinstance(sent, (dict, list))
            return is_text and _pattern(recorded).fullmatch(str(sent)) is not None
        return bool(recorded == sent) or (masked and _are_numbers(recorded, sent))

    def _are_fields(
        self, recorded: dict[str, Any], sent: dict[str, Any], parent: str, *, masked: bool
    ) -> bool:
        own = select_personal(recorded, parent, self._masked_fields)
        return all(
            name in self._ignore
            or (
                name in recorded
                and name in sent
                and self._fits(
                    recorded[name],
                    sent[name],
                    name,
                    masked=name in own or (masked and not stays(name)),
                )
            )
            for name in recorded.keys() | sent.keys()
        )


def _by_segments(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request whose path is compared segment by segment; a mask is never two of them."""
    operation = request["operation"]
    called = request["method"] if "/" in operation else operation
    return {**request, "operation": called, "path": request["path"].split("/")}


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in values)


@lru_cache(maxsize=1024)
def _pattern(recorded: str) -> re.Pattern[str]:
    """Return what matches recorded text with anything in place of its masks.

    What is between two masks is matched where it is first found and nowhere else, which is enough
    and takes no time even if there are many.
    """
    first, *others = map(re.escape, MASK.split(recorded))
    if not others:
        return re.compile(first)
    *between, last = others
    return re.compile(f"{first}{''.join(f'(?>.+?{part})' for part in between)}.+{last}", re.DOTALL)
