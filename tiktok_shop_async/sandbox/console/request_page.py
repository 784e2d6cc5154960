"""The page of requests: filters, and the details of one request."""

from __future__ import annotations

import attrs
from starlette.responses import Response

from ..state.request_log import LoggedRequest
from .pages import Page
from .rendering import body_text

OUTCOMES = {
    "success": "Successful",
    "error": "Error code",
    "fault": "Injected fault",
    "signature": "Signature mismatch",
}


@attrs.frozen
class RequestFilter:
    """A filter of the request log."""

    operation: str = ""
    outcome: str = ""
    text: str = ""

    def matches(self, entry: LoggedRequest) -> bool:
        """Return whether a request matches the filter."""
        if self.operation and entry.operation != self.operation:
            return False
        if self.outcome and self.outcome not in _outcomes(entry):
            return False
        return not self.text or _contains(entry, self.text)


def request_page(page: Page) -> Response:
    """Return the page."""
    query = page.query
    chosen = RequestFilter(
        query.get("operation", ""), query.get("outcome", ""), query.get("q", "").strip()
    )
    log = list(page.state.requests)
    selected = page.number("selected", 0)
    detail = next((entry for entry in log if entry.number == selected), None)
    return page.render(
        "requests",
        entries=[entry for entry in reversed(log) if chosen.matches(entry)],
        total=len(log),
        filter=chosen,
        outcomes=OUTCOMES,
        operations=sorted({entry.operation for entry in log if entry.operation}),
        selected=selected,
        detail=detail and detail_of(detail, page),
    )


@attrs.frozen
class RequestDetail:
    """The details of a request, with masked texts."""

    entry: LoggedRequest
    headers: list[tuple[str, str]]
    query: list[tuple[str, str]]
    string_to_sign: str
    body: str
    response: str


def detail_of(entry: LoggedRequest, page: Page) -> RequestDetail:
    """Return the details of a request, with secrets masked everywhere."""
    check = entry.signature

    def masked(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(page.masked(name), page.masked(value)) for name, value in pairs]

    return RequestDetail(
        entry,
        masked(entry.headers),
        masked(entry.query),
        check.string_to_sign if check else "",
        body_text(entry.body, page.secrets),
        body_text(entry.response_body, page.secrets),
    )


def _outcomes(entry: LoggedRequest) -> set[str]:
    outcomes = {"success" if entry.code == 0 and entry.fault is None else ""}
    if entry.code:
        outcomes.add("error")
    if entry.fault is not None:
        outcomes.add("fault")
    if entry.signature_mismatch:
        outcomes.add("signature")
    return outcomes


def _contains(entry: LoggedRequest, text: str) -> bool:
    shown = f"{entry.method} {entry.path} {entry.message} {entry.code} {entry.query}"
    shown += " ".join(entry.remarks)
    if text.casefold() in shown.casefold():
        return True
    wanted = text.encode("utf-8", "replace")
    return wanted in entry.body.start or wanted in entry.response_body.start
