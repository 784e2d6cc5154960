"""The decoding of a response: its data, or the error that it stands for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import attrs

from .._internal.clock import Clock
from .._internal.lenient_json import NumberAsWritten
from ..response import DecodingIssue, RawResponse
from .decoding import decode_data, read_envelope

M = TypeVar("M")


@attrs.frozen
class ErrorContext:
    """The facts that errors about a response name, and the secrets that they must not show."""

    operation: str
    secrets: Iterable[str] = attrs.field(repr=False)
    clock: Clock
    """The clock that a Retry-After header with a date is compared with."""
    quotable: bool = True
    """Whether errors may quote the body, with its secrets masked."""


@attrs.frozen
class Decoded(Generic[M]):
    """The content of a response with code 0."""

    data: M = attrs.field(repr=False)
    issues: tuple[DecodingIssue, ...]
    message: str
    request_id: str


def decode(response: RawResponse, model: type[M] | None, context: ErrorContext) -> Decoded[M]:
    """Return the content of a successful response, or raise the error of any other.

    Without a model, the data is plain values.
    """
    envelope = read_envelope(response.body, model)
    code = None if envelope is None else _integer(envelope.code)
    if envelope is not None and code == 0 and response.status < 300:
        data, issues = decode_data(model, envelope.data)
        request_id = _text(envelope.request_id) or _text(response.request_id)
        return Decoded(data, issues, _text(envelope.message), request_id)
    # Imported late, because most programs do not get an error at their start.
    from .error_mapping import FailedResponse, map_code, map_foreign_response

    failed = FailedResponse(
        response=response,
        operation=context.operation,
        secrets=tuple(context.secrets),
        request_id=(_text(envelope.request_id) if envelope else "") or _text(response.request_id),
        clock=context.clock,
        quotable=context.quotable,
    )
    if envelope is None or code is None:
        raise map_foreign_response(failed)
    raise map_code(failed, code, _text(envelope.message))


def _integer(code: Any) -> int | None:
    if isinstance(code, str) and re.fullmatch(r"\s*-?[0-9]{1,16}\s*", code):
        code = int(code)
    if isinstance(code, float) and code.is_integer():  # such as 0.0
        code = int(code)
    if isinstance(code, int) and not isinstance(code, bool) and abs(code) < _MAX_CODE:
        return code
    return None


_MAX_CODE = 10**15
"""Larger than every code; journals store codes in 64 bits."""


def _text(value: Any) -> str:
    """Return a message or an id as text, whatever its JSON type."""
    match value:
        case str():  # PostgreSQL rejects NUL in text
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
