"""Pagination: the pager that paged operations return."""

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
"""Fetches the page of a token; None fetches the page that the caller's arguments select."""


class Pager(Generic[P, T]):
    """A paged call: await it for the first page, or iterate over it for all items.

    ``await pager`` returns the first page, ``async for item in pager`` yields the items of all
    pages, and ``async for page in pager.pages()`` yields the pages. Each iteration starts at the
    first page and sends one request per page. It ends at an empty token; a repeated token ends it
    with a warning. A pager is not a coroutine: pass ``pager.first_page()`` to
    ``asyncio.create_task`` or ``TaskGroup.create_task``.
    """

    __slots__ = ("_fetch", "_pagination")

    def __init__(self, fetch: FetchPage[P], pagination: Paging) -> None:
        self._fetch = fetch
        self._pagination = pagination

    def __await__(self) -> Generator[Any, Any, APIResponse[P]]:
        return self._fetch(None).__await__()

    async def first_page(self) -> APIResponse[P]:
        """Return the first page like ``await pager``, as a coroutine."""
        return await self._fetch(None)

    def __repr__(self) -> str:
        # asyncio shows it in the TypeError of create_task, which accepts only coroutines.
        return "<Pager: await it, iterate over it with async for, or make a task of first_page()>"

    if not TYPE_CHECKING:  # type checkers must report missing attributes

        def __getattr__(self, name: str) -> Any:
            reason = f"{type(self).__name__!r} object has no attribute {name!r}"
            if hasattr(APIResponse, name):
                reason += (
                    f", but the response has. Use (await pager).{name} for the first page, "
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
            token = _get(page.data, self._pagination.next_token)
            if not token:
                if any(issue.path == self._pagination.next_token for issue in page.issues):
                    _warn_of_early_end(page, number, "cannot be read")
                return
            if token in seen:
                _warn_of_early_end(page, number, "is that of an earlier page")
                return
            seen.add(token)

    def _items(self, data: P) -> list[T]:
        lists = [_get(data, path) for path in self._pagination.items]
        return [cast("T", item) for items in lists if items for item in items]


def _warn_of_early_end(page: APIResponse[Any], number: int, reason: str) -> None:
    # The token is not logged, because it may contain search terms.
    logging.getLogger("tiktok_shop_async.pagination").warning(
        "%s: the iteration ends at page %d, because its next_page_token %s; items may be missing"
        " (request id %s)",
        page.operation,
        number,
        reason,
        page.request_id,
    )


def _get(data: Any, path: str) -> Any:
    try:
        return attrgetter(path)(data)
    except AttributeError:  # an optional object in the path is None
        return None
