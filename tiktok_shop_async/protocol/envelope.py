"""From a response's status, headers and body to its envelope, or to the error that it means."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from .._internal.lenient_json import NumberAsWritten
from ..transport.receiving import RawResponse
from .decoding import read_envelope


@attrs.frozen(kw_only=True)
class Success:
    """A response with code 0."""

    message: str
    request_id: str
    data: Any
    """As the envelope had it; `decode_data` makes the model of it."""


def open_envelope(
    response: RawResponse,
    model: type[Any] | None,
    operation: str,
    secrets: Iterable[str],
    clock: Callable[[], float],
    *,
    quotable: bool = True,
) -> Success:
    """Return the envelope of a successful response; raise the error of any other.

    Errors about a response that is not ``quotable`` show nothing of its body.
    """
    envelope = read_envelope(response.body, model)
    code = None if envelope is None else _integer(envelope.code)
    if envelope is not None and code == 0 and response.status < 300:
        return Success(
            message=_text(envelope.message),
            request_id=_text(envelope.request_id) or _text(response.request_id),
            data=envelope.data,
        )
    # What errors mean takes a while to import, and most programs meet none at their start.
    from .error_mapping import Context, refused, unexpected

    context = Context(
        response=response,
        operation=operation,
        secrets=tuple(secrets),
        request_id=(_text(envelope.request_id) if envelope else "") or _text(response.request_id),
        clock=clock,
        quotable=quotable,
    )
    if envelope is None or code is None:
        raise unexpected(context)
    raise refused(context, code, _text(envelope.message))


def _integer(code: Any) -> int | None:
    if isinstance(code, str) and re.fullmatch(r"\s*-?[0-9]{1,16}\s*", code):
        code = int(code)
    if isinstance(code, float) and code.is_integer():  # 0.0, say
        code = int(code)
    if isinstance(code, int) and not isinstance(code, bool) and abs(code) < _MAX_CODE:
        return code
    return None


_MAX_CODE = 10**15
"""More than any code has; journals keep codes in 64 bits."""


def _text(value: Any) -> str:
    """Return a message or an id as text, whatever its JSON type."""
    match value:
        case str():  # without NUL, which PostgreSQL rejects in text
            return value.replace("\0", "\ufffd") if "\0" in value else value
        case NumberAsWritten():
            return value.text
        case None:
            return ""
        case float() if not math.isfinite(value):
            return ""
    try:
        return str(value)
    except RecursionError:
        return ""
