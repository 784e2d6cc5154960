"""What all pages of the console share: addresses, the notice, the sandbox's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

import attrs
from starlette.requests import Request
from starlette.responses import Response

from ..._internal.redaction import redact
from ..control.sandbox_state import SandboxState
from .notices import NO_NOTICE, Notice, Notices
from .rendering import render

T = TypeVar("T")

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
TABS = {
    "overview": ("Overview", "/"),
    "requests": ("Requests", "/console/requests"),
    "orders": ("Orders", "/console/orders"),
    "webhooks": ("Webhooks", "/console/webhooks"),
    "faults": ("Faults", "/console/faults"),
}
"""Name of a page -> its title, and its path below the mount."""


@attrs.frozen
class Page:
    """One request for a page: what its templates need to know of it."""

    bench: SandboxState
    base: str
    """The path that the console is mounted at."""
    query: Mapping[str, str]
    notice: Notice = NO_NOTICE

    @classmethod
    def of(cls, request: Request, bench: SandboxState, notices: Notices) -> Page:
        """Return the page of a request."""
        query = dict(request.query_params)
        notice = notices.get(query.pop("notice", ""))
        return cls(bench, request.scope.get("root_path", ""), query, notice)

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What no page but that of the credentials may show."""
        return self.bench.market.secrets()

    def masked(self, text: str) -> str:
        """Return text of a client or receiver without secrets."""
        return redact(text, self.secrets)

    def url(self, path: str, **query: Any) -> str:
        """Return the address of a page below the mount; empty parameters are left out."""
        text = encode_query({name: value for name, value in query.items() if value})
        return f"{self.base}{path}{'?' if text else ''}{text}"

    def here(self, path: str, **changes: Any) -> str:
        """Return the address of this page with some parameters changed."""
        return self.url(path, **{**self.query, **changes})

    @property
    def query_text(self) -> str:
        """The query of this page, to return to it after an action."""
        return encode_query(self.query)

    def entered(self, target: str, name: str, default: object = "") -> object:
        """Return what to fill a field with: what was entered, if that was refused."""
        if self.notice.target != target or not self.notice.failed:
            return default
        return self.notice.form.text(name)

    def chosen(self, target: str, name: str, default: Sequence[str] = ()) -> Sequence[str]:
        """Return which boxes to check: those that were, if the form was refused."""
        if self.notice.target != target or not self.notice.failed:
            return default
        return self.notice.form.texts(name)

    def number(self, name: str, default: int = 1) -> int:
        """Return a whole number of the query; anything else counts as the default."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default

    def render(
        self, tab: str, template: str = "", *, http_status: int = HTTPStatus.OK, **values: Any
    ) -> Response:
        """Return a page below a tab, from the tab's template unless another is named."""
        html = render(
            template or f"{tab}.html",
            page=self,
            tab=tab,
            tabs=TABS,
            now=self.bench.clock(),
            shops=list(self.bench.market.shops.values()),
            **values,
        )
        return Response(html, http_status, HEADERS, "text/html")


def encode_query(query: Mapping[str, Any]) -> str:
    """Return a query string."""
    return urlencode(query, errors="replace")


def slice_of(items: Sequence[T], number: int, size: int) -> tuple[Sequence[T], int, int]:
    """Return a page of items, its number, and the number of pages; the first page is 1."""
    number, pages = clamp(number, len(items), size)
    return items[(number - 1) * size : number * size], number, pages


def clamp(number: int, count: int, size: int) -> tuple[int, int]:
    """Return the number of a page that exists, and the number of pages of this size."""
    pages = max(1, -(-count // size))
    return min(max(1, number), pages), pages
