"""Ids, codes and numbers of made-up objects: no two are equal."""

from __future__ import annotations

import re
from functools import reduce

from .shapes import Node

_ENDINGS = frozenset({"id", "ids", "code", "codes", "number", "no", "sku", "skus", "barcode"})
_SHARED = frozenset(
    {
        *("branch_number", "country_code", "iso_code", "local_number", "metric_code"),
        *("payment_method_code", "phone_number", "phone_tail_number", "postal_code"),
        *("region_code", "shop_tab_ctor_sku", "size_code", "size_codes", "status_code"),
    }
)
"""Fields that are alike in many objects, or whose form matters more."""
_INDEX = re.compile(r"\[(\d+)\]")
_DIGITS = re.compile(r"\d+")
_CONSTANT = re.compile(r"[A-Z]+(?:_[A-Z0-9]+)+")
_ITEMS_OF_A_LIST = 32
_FEWEST_DIGITS = 6
_MOST_DIGITS = 19
_STEP = 7_919_317_003
"""Prime to 10, so that as many multiples of it as there are numbers differ in their last digits."""


def is_key(node: Node, name: str) -> bool:
    """Whether a field tells objects apart."""
    ending = name.removesuffix("_list").rpartition("_")[2]
    if node["type"] == "integer":
        return ending in ("id", "ids")
    if name == "code":  # of an error or a finding, or of a thing, which has a number
        return _has_number(node)
    return ending in _ENDINGS and name not in _SHARED


def rank_of(path: str) -> int:
    """Return a number that only this path has among those that differ from it in indexes."""
    indexes = map(int, _INDEX.findall(path))
    return reduce(lambda rank, index: rank * _ITEMS_OF_A_LIST + index, indexes, 0)


def template_of(path: str) -> str:
    """Return a path without its indexes."""
    return _INDEX.sub("[]", path)


def text_key(example: str, start: int, rank: int) -> str:
    """Return a key that looks like ``example``, with another number."""
    runs = [*_DIGITS.finditer(example)]
    if not runs:
        if not example:
            return key_number(_MOST_DIGITS, start, rank)
        return f"{example}-{key_number(_FEWEST_DIGITS, start, rank)}"
    run = max(runs, key=lambda each: len(each[0]))
    number = key_number(max(len(run[0]), _FEWEST_DIGITS), start, rank)
    return f"{example[: run.start()]}{number}{example[run.end() :]}"


def key_number(digits: int, start: int, rank: int) -> str:
    """Return a number of so many digits; no two ranks have the same."""
    size = 9 * 10 ** (digits - 1)  # the first digit is not 0
    return str(10 ** (digits - 1) + (start + rank * _STEP) % size)


def _has_number(node: Node) -> bool:
    example = str(node.get("example", "0"))
    return _DIGITS.search(example) is not None and _CONSTANT.fullmatch(example) is None
