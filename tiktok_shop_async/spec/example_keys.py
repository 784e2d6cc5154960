"""Unique ids, codes and numbers of example objects."""

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
"""Fields whose values are shared by many objects, or must have a certain format."""
_INDEX = re.compile(r"\[(\d+)\]")
_DIGITS = re.compile(r"\d+")
_CONSTANT = re.compile(r"[A-Z]+(?:_[A-Z0-9]+)+")
_ITEMS_PER_LIST = 32
_MIN_DIGITS = 6
_MAX_DIGITS = 19
_STEP = 7_919_317_003
"""Coprime to 10, so that its multiples differ in their last digits."""


def is_key(node: Node, name: str) -> bool:
    """Return whether a field identifies its object."""
    ending = name.removesuffix("_list").rpartition("_")[2]
    if node["type"] == "integer":
        return ending in ("id", "ids")
    if name == "code":  # codes of errors and findings have no number, unlike those of objects
        return _has_number(node)
    return ending in _ENDINGS and name not in _SHARED


def rank_of(path: str) -> int:
    """Return a number that is unique among the paths that differ only in their indexes."""
    indexes = map(int, _INDEX.findall(path))
    return reduce(lambda rank, index: rank * _ITEMS_PER_LIST + index, indexes, 0)


def template_of(path: str) -> str:
    """Return a path without its indexes."""
    return _INDEX.sub("[]", path)


def make_text_key(example: str, start: int, rank: int) -> str:
    """Return a key in the form of ``example`` with another number."""
    runs = [*_DIGITS.finditer(example)]
    if not runs:
        if not example:
            return make_number_key(_MAX_DIGITS, start, rank)
        return f"{example}-{make_number_key(_MIN_DIGITS, start, rank)}"
    run = max(runs, key=lambda each: len(each[0]))
    number = make_number_key(max(len(run[0]), _MIN_DIGITS), start, rank)
    return f"{example[: run.start()]}{number}{example[run.end() :]}"


def make_number_key(digits: int, start: int, rank: int) -> str:
    """Return a number with this many digits, unique for each rank."""
    size = 9 * 10 ** (digits - 1)  # the first digit is not 0
    return str(10 ** (digits - 1) + (start + rank * _STEP) % size)


def _has_number(node: Node) -> bool:
    example = str(node.get("example", "0"))
    return _DIGITS.search(example) is not None and _CONSTANT.fullmatch(example) is None
