"""Faults carried out: answers in place of the right one, spoilt answers, and bad delivery."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Literal

from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Receive, Scope, Send

from ..error_responses import INTERNAL_ERROR, QUOTA_EXHAUSTED, THROTTLED, Refusal
from ..http.connection import drop
from .rate_limits import Excess
from .rules import FaultKind, FaultRule

Sleep = Callable[[float], Awaitable[object]]

_ERROR_PAGE = """<!DOCTYPE html>
<html><head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr></body></html>
"""


def throttled(
    retry_after: int | None, form: Literal["seconds", "date"] | None, now: float
) -> Refusal:
    """Return the refusal of a call too many."""
    headers = {}
    if retry_after is not None and form is not None:
        headers["retry-after"] = (
            formatdate(now + retry_after, usegmt=True) if form == "date" else str(retry_after)
        )
    return Refusal(
        THROTTLED, "Too many requests, try again later.", HTTPStatus.TOO_MANY_REQUESTS, headers
    )


def quota_exhausted() -> Refusal:
    """Return the refusal of a call beyond the hour's quota."""
    return Refusal(QUOTA_EXHAUSTED, "The hourly quota is used up.", HTTPStatus.TOO_MANY_REQUESTS)


def too_many(excess: Excess, form: Literal["seconds", "date"] | None, now: float) -> Refusal:
    """Return the refusal of a call that went over a limit."""
    return quota_exhausted() if excess.quota else throttled(excess.wait, form, now)


def carry_out(
    work: Callable[[], dict[str, Any]], rule: FaultRule | None, now: float
) -> Response | dict[str, Any] | None:
    """Do what was asked if the fault lets it be done, and return what the fault leaves of it.

    That is the answer's data, or a page in place of the envelope; else the refusal is raised.
    """
    if rule is None:
        return work()
    data, refusal = None, None
    if rule.processed:
        try:
            data = work()
        except Refusal as refused:
            refusal = refused
    page = _page_of_a_proxy(rule)
    if page is not None:
        return page
    refusal = _refusal_of(rule, now) or refusal
    if refusal is not None:
        raise refusal
    return _spoilt(data, rule.kind)


def _refusal_of(rule: FaultRule, now: float) -> Refusal | None:
    """Return the envelope's refusal that a rule answers with, if it is one."""
    match rule.kind:
        case FaultKind.THROTTLED:
            return throttled(rule.retry_after, rule.retry_after_as, now)
        case FaultKind.QUOTA_EXHAUSTED:
            return quota_exhausted()
        case FaultKind.INTERNAL_ERROR:
            return Refusal(INTERNAL_ERROR, "Internal error.", HTTPStatus.INTERNAL_SERVER_ERROR)
    return None


def _page_of_a_proxy(rule: FaultRule) -> Response | None:
    """Return the answer without an envelope that a rule gives, if it does."""
    match rule.kind:
        case FaultKind.UNAVAILABLE:
            return Response("Service Unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
        case FaultKind.HTML_PAGE:
            return HTMLResponse(_ERROR_PAGE, HTTPStatus.BAD_GATEWAY)
    return None


def _spoilt(data: dict[str, Any] | None, kind: FaultKind) -> dict[str, Any] | None:
    """Return an answer's data as a fault leaves it."""
    match kind:
        case FaultKind.NULL_DATA:
            return None
        case FaultKind.NUMBERS_AS_STRINGS:
            changed: dict[str, Any] | None = _numbers_as_strings(data)
            return changed
        case FaultKind.EXTRA_FIELDS:
            grown: dict[str, Any] | None = _with_extra_fields(data)
            return grown
    return data


async def deliver(
    response: Response,
    rule: FaultRule | None,
    scope: Scope,
    receive: Receive,
    send: Send,
    sleep: Sleep,
) -> None:
    """Send an answer as well as a fault lets it through."""
    match rule.kind if rule else None:
        case FaultKind.RESET_BEFORE | FaultKind.RESET_AFTER:
            await drop(scope, receive, send, reset=True)
        case FaultKind.LOST_ANSWER:
            await drop(scope, receive, send, reset=False)
        case FaultKind.TRUNCATED_BODY:
            await _send_half(response, send)
            await drop(scope, receive, send, reset=False, started=True)
        case FaultKind.SLOW_HEADERS if rule:
            await sleep(rule.seconds)
            await response(scope, receive, send)
        case FaultKind.SLOW_BODY if rule:
            rest = await _send_half(response, send)
            await sleep(rule.seconds)
            await send(rest)
        case _:
            await response(scope, receive, send)


async def _send_half(response: Response, send: Send) -> Message:
    """Send headers that promise all, and half of the body; return the message with the rest."""
    body = bytes(response.body)
    half = len(body) // 2
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": response.raw_headers,
        }
    )
    await send({"type": "http.response.body", "body": body[:half], "more_body": True})
    return {"type": "http.response.body", "body": body[half:]}


def _numbers_as_strings(value: Any) -> Any:
    match value:
        case bool():
            return value
        case int() | float():
            return str(value)
        case dict():
            return {name: _numbers_as_strings(each) for name, each in value.items()}
        case list():
            return [_numbers_as_strings(each) for each in value]
    return value


def _with_extra_fields(value: Any) -> Any:
    match value:
        case dict():
            known = {name: _with_extra_fields(each) for name, each in value.items()}
            return {"sandbox_extra_text": "new", "sandbox_extra_object": {"n": 1}, **known}
        case list():
            return [_with_extra_fields(each) for each in value]
    return value
