"""Common parts of the console's pages: URLs, notices and rendering."""

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
from ..state.sandbox_state import SandboxState
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
    """A request for a page, as the templates use it."""

    state: SandboxState
    base: str
    """The path that the console is mounted at."""
    query: Mapping[str, str]
    notice: Notice = NO_NOTICE

    @classmethod
    def of(cls, request: Request, state: SandboxState, notices: Notices) -> Page:
        """Return the page of a request."""
        query = dict(request.query_params)
        notice = notices.get(query.pop("notice", ""))
        return cls(state, request.scope.get("root_path", ""), query, notice)

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, which only the credentials page shows."""
        return self.state.market.secrets()

    def masked(self, text: str) -> str:
        """Return text from a client or receiver with secrets masked."""
        return redact(text, self.secrets)

    def url(self, path: str, **query: Any) -> str:
        """Return the URL of a page below the mount, without empty parameters."""
        text = encode_query({name: value for name, value in query.items() if value})
        return f"{self.base}{path}{'?' if text else ''}{text}"

    def here(self, path: str, **changes: Any) -> str:
        """Return the URL of this page with some parameters changed."""
        return self.url(path, **{**self.query, **changes})

    @property
    def query_text(self) -> str:
        """The query of this page, to return here after an action."""
        return encode_query(self.query)

    def entered(self, target: str, name: str, default: object = "") -> object:
        """Return the initial value of a field: the entered one if the form was rejected."""
        if self.notice.target != target or not self.notice.failed:
            return default
        return self.notice.form.text(name)

    def chosen(self, target: str, name: str, default: Sequence[str] = ()) -> Sequence[str]:
        """Return which boxes are checked initially: the submitted ones if the form was rejected."""
        if self.notice.target != target or not self.notice.failed:
            return default
        return self.notice.form.texts(name)

    def number(self, name: str, default: int = 1) -> int:
        """Return an integer from the query; the default for anything else."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default

    def render(
        self, tab: str, template: str = "", *, http_status: int = HTTPStatus.OK, **values: Any
    ) -> Response:
        """Return a page of a tab, by default from the tab's template."""
        html = render(
            template or f"{tab}.html",
            page=self,
            tab=tab,
            tabs=TABS,
            now=self.state.clock.time(),
            shops=list(self.state.market.shops.values()),
            **values,
        )
        return Response(html, http_status, HEADERS, "text/html")


def encode_query(query: Mapping[str, Any]) -> str:
    """Return a query string."""
    return urlencode(query, errors="replace")


def slice_of(items: Sequence[T], number: int, size: int) -> tuple[Sequence[T], int, int]:
    """Return a page of items, its number from 1, and the number of pages."""
    number, pages = clamp(number, len(items), size)
    return items[(number - 1) * size : number * size], number, pages


def clamp(number: int, count: int, size: int) -> tuple[int, int]:
    """Return the nearest existing page number, and the number of pages."""
    pages = max(1, -(-count // size))
    return min(max(1, number), pages), pages
