"""Pages of a search, with tokens that stay right while the shop changes."""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

import attrs

from ..arguments import Arguments
from ..error_responses import invalid
from ..http.gateway import AdmittedCall
from ..http.validation import query_fields


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
    found: Iterable[D],
    call: AdmittedCall,
    *,
    default_order: str,
) -> Page[D]:
    """Return the page that a call asks for.

    A token names the last item of the page before, not a count: an item that no longer fits the
    filter shifts nothing.
    """
    query = Arguments(call.query)
    known = query_fields(call.operation.id, call.version)["page_size"]
    size = int(query.text("page_size") or known["default"])
    field = query.choice("sort_field", ("create_time", "update_time"), "create_time")
    sign = 1 if query.choice("sort_order", ("ASC", "DESC"), default_order) == "ASC" else -1

    time_of: Callable[[D], int] = attrgetter(field)

    def time(item: D) -> int:
        return sign * time_of(item)

    def key(item: D) -> SortKey:
        return sign * time_of(item), sign * int(item.id)

    # Of many items most are nearly in order of time already, and only few need their ids compared:
    # those around the page, with all that share a time with its first or its last one.
    items = sorted(found, key=time_of)
    if sign < 0:
        items.reverse()
    token = query.text("page_token")
    after = decode_token(token) if token else None
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
