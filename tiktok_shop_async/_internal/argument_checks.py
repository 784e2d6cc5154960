"""Checks of arguments, shared by clients, `TikTokShopOAuth` and `RequestOptions`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from ..errors import InvalidArgumentError
from .clock import Clock

_MAX_QUOTED = 40


def invalid(
    argument: str, accepted: str, value: object, hint: str | None = None
) -> InvalidArgumentError:
    """Return the error for an argument that has the wrong type or is out of range."""
    return InvalidArgumentError(
        f"{argument} must be {accepted}, not {_quote(value)}.", argument=argument, hint=hint
    )


def check_timeout(timeout: object, hint: str | None = None) -> None:
    """Reject a timeout that httpx would misinterpret, or reject in the middle of a call."""
    if isinstance(timeout, httpx.Timeout):
        return
    accepted = "a positive number of seconds, an httpx.Timeout or None"
    check_seconds(timeout, "timeout", accepted, hint)


def check_seconds(
    value: object,
    argument: str,
    accepted: str = "a positive number of seconds or None",
    hint: str | None = None,
) -> None:
    """Reject anything but None and positive, finite numbers."""
    if value is None:
        return
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (0 < value < math.inf):  # type: ignore[operator]  # rejects NaN too
        raise invalid(argument, accepted, value, hint)


def check_integer(value: object, argument: str, minimum: int) -> None:
    """Reject anything but an integer of at least ``minimum``; a bool is not one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        accepted = "a positive integer" if minimum == 1 else f"an integer of at least {minimum}"
        raise invalid(argument, accepted, value)


def check_bool(value: object, argument: str) -> None:
    """Reject anything but True and False, since text such as "false" would count as true."""
    if not isinstance(value, bool):
        raise invalid(argument, "True or False", value)


def check_function(value: object, argument: str, accepted: str = "callable") -> None:
    """Reject a value that is not callable."""
    if not callable(value):
        raise invalid(argument, accepted, value)


def check_clock(value: object) -> None:
    """Reject anything but a `Clock` and functions that return Unix seconds."""
    if not isinstance(value, Clock):
        check_function(value, "clock", "a Clock or callable without arguments")


def check_mapping(value: object, argument: str, accepted: str = "a mapping or None") -> None:
    """Reject anything but None and mappings with text as keys."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise invalid(argument, accepted, value)
    for key in value:
        if not isinstance(key, str):
            raise invalid(f"a key of {argument}", "text (str)", key)


def check_text(value: object, argument: str, example: str) -> None:
    """Reject anything but None and text."""
    if value is not None and not isinstance(value, str):
        raise invalid(argument, f"text such as {example}, or None", value)


def check_transport(transport: object) -> None:
    """Reject a transport that cannot send requests asynchronously."""
    if transport is None:
        return
    if callable(getattr(transport, "handle_async_request", None)) and not isinstance(
        transport, type
    ):
        return
    hint = None
    if isinstance(transport, httpx.BaseTransport):
        hint = "This one is synchronous; httpx.AsyncHTTPTransport is the asynchronous one."
    raise invalid("transport", "an httpx.AsyncBaseTransport or None", transport, hint)


def parse_texts(value: object, argument: str) -> tuple[str, ...]:
    """Return the texts of an iterable; reject a single text, whose items would be its letters.

    The error does not quote the value, because some texts are secrets.
    """
    if isinstance(value, str):
        raise InvalidArgumentError(
            f"{argument} must be an iterable of texts, not one text.",
            argument=argument,
            hint="Put it into a list.",
        )
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray, memoryview)):
        raise invalid(argument, "an iterable of texts", type(value))
    items = tuple(value)
    for item in items:
        if not isinstance(item, str):
            raise invalid(f"each of {argument}", "text (str)", type(item))
    return items


def _quote(value: object) -> str:
    """Return the repr of a plain value; of any other, whose repr may have secrets, its type."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return _shorten(repr(value))
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"


def options_hint(options: Any) -> str:
    """Return a hint that shows a mapping as `RequestOptions`; it quotes only numbers."""
    if not isinstance(options, Mapping) or not options:
        return "Pass options=RequestOptions(timeout=5)."
    arguments = [
        f"{name}={value!r}" if isinstance(value, (int, float)) else f"{name}=…"
        for name, value in options.items()
    ]
    return f"Pass options=RequestOptions({', '.join(arguments)})."
