"""Answers that come in pages."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from .pipeline.operation import Paging
from .response import APIResponse

P = TypeVar("P")
T = TypeVar("T")

FetchPage = Callable[[str | None], Awaitable[APIResponse[P]]]
"""Gets the page of a token; None asks for the page that the caller's arguments name."""


class Pager(Generic[P, T]):
    """A paged call: await it for one page, iterate it for all items.

    ``await pager`` returns the first page, ``async for item in pager`` walks the items of all
    pages and ``async for page in pager.pages()`` the pages. Each walk starts anew, one request a
    page. A token that is empty ends it, and so does one that was there before, with a warning. It
    is not a coroutine: give ``pager.first_page()`` to ``asyncio.create_task`` or
    ``TaskGroup.create_task``.
    """

    __slots__ = ("_fetch", "_pagination")

    def __init__(self, fetch: FetchPage[P], pagination: Paging) -> None:
        self._fetch = fetch
        self._pagination = pagination

    def __await__(self) -> Generator[Any, Any, APIResponse[P]]:
        return self._fetch(None).__await__()

    async def first_page(self) -> APIResponse[P]:
        """Return the first page, as ``await pager`` does, for what takes only coroutines."""
        return await self._fetch(None)

    def __repr__(self) -> str:
        # asyncio shows it in the TypeError that create_task raises for what is no coroutine.
        return "<Pager: await it, iterate it with async for, or make a task of first_page()>"

    if not TYPE_CHECKING:  # a type checker is to report attributes that are not here

        def __getattr__(self, name: str) -> Any:
            reason = f"{type(self).__name__!r} object has no attribute {name!r}"
            if hasattr(APIResponse, name):
                reason += (
                    f": the response has it. Write (await pager).{name} for the first page, "
                    "or iterate over the pager with async for."
                )
            raise AttributeError(reason, name=name, obj=self)

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in self._items(page.data):
                yield item

    async def pages(self) -> AsyncIterator[APIResponse[P]]:
        """Yield the responses, first page to last."""
        seen: set[str] = set()
        token: str | None = None
        for number in count(1):
            page = await self._fetch(token)
            yield page
            token = _dig(page.data, self._pagination.next_token)
            if not token:
                if any(issue.path == self._pagination.next_token for issue in page.issues):
                    _warn_of_early_end(page, number, "cannot be read")
                return
            if token in seen:
                _warn_of_early_end(page, number, "an earlier page had too")
                return
            seen.add(token)

    def _items(self, data: P) -> list[T]:
        lists = [_dig(data, path) for path in self._pagination.items]
        return [cast("T", item) for found in lists if found for item in found]


def _warn_of_early_end(page: APIResponse[Any], number: int, reason: str) -> None:
    # Without the token, which may hold what was searched for.
    logging.getLogger("tiktok_shop_async.pagination").warning(
        "%s: the walk ends at page %d, whose next_page_token %s; items may be missing"
        " (request id %s)",
        page.operation,
        number,
        reason,
        page.request_id,
    )


def _dig(data: Any, path: str) -> Any:
    try:
        return attrgetter(path)(data)
    except AttributeError:  # an optional object on the way is None
        return None
