"""Pages of search results, with tokens that stay valid while the shop changes."""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

import attrs

from ..error_responses import invalid
from ..inputs.arguments import Arguments
from ..inputs.catalogue import query_fields
from .call import AdmittedCall


class Dated(Protocol):
    """An item that can be sorted by time."""

    id: str
    create_time: int
    update_time: int


D = TypeVar("D", bound=Dated)

SortKey = tuple[int, int]
"""Time and id of an item; both are negated for descending order."""


@attrs.frozen
class Page(Generic[D]):
    """A page of the items found; the token of the next page is empty if there is none."""

    items: Sequence[D]
    total_count: int
    next_token: str


def page_of(found: Iterable[D], call: AdmittedCall, *, default_order: str) -> Page[D]:
    """Return the page that a call requests.

    A token names the last item of the previous page, so that items which no longer match the
    filters do not shift the pages.
    """
    query = Arguments(call.query)
    known = query_fields(call.operation.id, call.version)["page_size"]
    size = int(query.text("page_size") or known["default"])
    field = query.choice("sort_field", ("create_time", "update_time"), "create_time")
    sign = 1 if query.choice("sort_order", ("ASC", "DESC"), default_order) == "ASC" else -1
    token = query.text("page_token")
    after = decode_token(token) if token else None
    time_of: Callable[[D], int] = attrgetter(field)
    # For speed, sort by time first: most items are already in that order.
    items = sorted(found, key=time_of)
    if sign < 0:
        items.reverse()
    return _slice(items, time_of, sign, after, size)


def _slice(
    items: list[D], time_of: Callable[[D], int], sign: int, after: SortKey | None, size: int
) -> Page[D]:
    """Return the page after a key from items that are sorted by time."""

    def time(item: D) -> int:
        return sign * time_of(item)

    def key(item: D) -> SortKey:
        return sign * time_of(item), sign * int(item.id)

    # Sort by id only the items around the page: those between the times of its first and last item.
    first, last = 0, size
    if after:
        first = bisect_left(items, after[0], key=time)
        last += bisect_right(items, after[0], first, key=time)
    end = bisect_right(items, time(items[last]), last, key=time) if last < len(items) else None
    around = sorted(items[first:end], key=key)
    start = bisect_right(around, after, key=key) if after else 0
    page = around[start : start + size]
    more = start + size < len(around)
    return Page(page, len(items), encode_token(key(page[-1])) if more else "")


def encode_token(key: SortKey) -> str:
    """Return the token of an item."""
    # Standard base64: like real tokens, it has = and +, which clients must encode in a URL.
    return base64.b64encode(f"{key[0]}:{key[1]}".encode()).decode()


def decode_token(token: str) -> SortKey:
    """Return the sort key of a token's item."""
    try:
        time, _, number = base64.b64decode(token, validate=True).decode("ascii").partition(":")
        return int(time), int(number)
    except ValueError:
        raise invalid(
            "The parameter page_token must be the next_page_token of another page."
        ) from None
