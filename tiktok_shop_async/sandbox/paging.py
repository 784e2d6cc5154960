"""Pages of a search, with tokens that stay right while the shop changes."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import attrs

from .arguments import Arguments
from .refusals import invalid


class Dated(Protocol):
    """Something that a search can sort."""

    id: str
    create_time: int
    update_time: int


D = TypeVar("D", bound=Dated)

SortKey = tuple[int, int]
"""A time, and the id where times are equal; negated to sort the other way round."""


@attrs.frozen
class Page(Generic[D]):
    """Some of the items found, and the token of the next page if there is one."""

    items: Sequence[D]
    total_count: int
    next_token: str


def page_of(
    found: Sequence[D],
    query: Arguments,
    *,
    largest: int,
    default_size: int,
    default_order: str,
) -> Page[D]:
    """Return the page that ``query`` asks for.

    A token names the last item of the page before, not a count: an item that no longer fits the
    filter shifts nothing.
    """
    size = query.number_between("page_size", 1, largest, default_size)
    field = query.choice("sort_field", ("create_time", "update_time"), "create_time")
    sign = 1 if query.choice("sort_order", ("ASC", "DESC"), default_order) == "ASC" else -1

    def key(item: D) -> SortKey:
        return sign * getattr(item, field), sign * int(item.id)

    items = sorted(found, key=key)
    token = query.text("page_token")
    start = bisect_right(items, decode_token(token), key=key) if token else 0
    page = items[start : start + size]
    more = start + size < len(items)
    return Page(page, len(items), encode_token(key(page[-1])) if more else "")


def encode_token(key: SortKey) -> str:
    """Return the token that names an item."""
    # Standard base64 on purpose: its = and + must survive a client's encoding, as real ones must.
    return base64.b64encode(f"{key[0]}:{key[1]}".encode()).decode()


def decode_token(token: str) -> SortKey:
    """Return what a token names."""
    try:
        time, _, number = base64.b64decode(token, validate=True).decode("ascii").partition(":")
        return int(time), int(number)
    except ValueError:
        raise invalid("The parameter page_token is none that a page gave.") from None
