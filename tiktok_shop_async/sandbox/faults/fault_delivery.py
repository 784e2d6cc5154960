"""Delivery of faults: replaced responses, changed data and broken connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Literal

from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Receive, Scope, Send

from ..error_responses import INTERNAL_ERROR, QUOTA_EXHAUSTED, THROTTLED, Refusal
from .dropped_connections import drop
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
    """Return the refusal of a call above a rate limit."""
    headers = {}
    if retry_after is not None and form is not None:
        headers["retry-after"] = (
            formatdate(now + retry_after, usegmt=True) if form == "date" else str(retry_after)
        )
    return Refusal(
        THROTTLED, "Too many requests, try again later.", HTTPStatus.TOO_MANY_REQUESTS, headers
    )


def quota_exhausted() -> Refusal:
    """Return the refusal of a call above the hourly quota."""
    return Refusal(QUOTA_EXHAUSTED, "The hourly quota is used up.", HTTPStatus.TOO_MANY_REQUESTS)


def limit_exceeded(excess: Excess, form: Literal["seconds", "date"] | None, now: float) -> Refusal:
    """Return the refusal of a call above a limit."""
    return quota_exhausted() if excess.quota else throttled(excess.wait, form, now)


def run_with_fault(
    run: Callable[[], dict[str, Any]], rule: FaultRule | None, now: float
) -> Response | dict[str, Any] | None:
    """Run a handler unless the fault prevents it, and return its data as the fault changes it.

    Returns:
        The response's data, or a response without an envelope.

    Raises:
        Refusal: The response is an error, by the fault or by the handler.
    """
    if rule is None:
        return run()
    data, refusal = None, None
    if rule.processed:
        try:
            data = run()
        except Refusal as error:
            refusal = error
    response = _response_without_envelope(rule)
    if response is not None:
        return response
    refusal = _refusal_of(rule, now) or refusal
    if refusal is not None:
        raise refusal
    return _changed(data, rule.kind)


def _refusal_of(rule: FaultRule, now: float) -> Refusal | None:
    """Return the refusal of a rule; None for other kinds of fault."""
    match rule.kind:
        case FaultKind.THROTTLED:
            return throttled(rule.retry_after, rule.retry_after_as, now)
        case FaultKind.QUOTA_EXHAUSTED:
            return quota_exhausted()
        case FaultKind.INTERNAL_ERROR:
            return Refusal(INTERNAL_ERROR, "Internal error.", HTTPStatus.INTERNAL_SERVER_ERROR)
    return None


def _response_without_envelope(rule: FaultRule) -> Response | None:
    """Return the response of a rule that replaces the envelope; None for other kinds of fault."""
    match rule.kind:
        case FaultKind.UNAVAILABLE:
            return Response("Service Unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
        case FaultKind.HTML_PAGE:
            return HTMLResponse(_ERROR_PAGE, HTTPStatus.BAD_GATEWAY)
    return None


def _changed(data: dict[str, Any] | None, kind: FaultKind) -> dict[str, Any] | None:
    """Return a response's data as a fault changes it."""
    match kind:
        case FaultKind.NULL_DATA:
            return None
        case FaultKind.NUMBERS_AS_STRINGS:
            changed: dict[str, Any] | None = _numbers_as_strings(data)
            return changed
        case FaultKind.EXTRA_FIELDS:
            extended: dict[str, Any] | None = _with_extra_fields(data)
            return extended
    return data


async def deliver(
    response: Response,
    rule: FaultRule | None,
    scope: Scope,
    receive: Receive,
    send: Send,
    sleep: Sleep,
) -> None:
    """Send a response with the delay or broken connection of a fault."""
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
    """Send the headers and half of the body; return the message with the rest."""
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
