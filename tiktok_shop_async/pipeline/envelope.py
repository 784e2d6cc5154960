"""Status, headers and body of an answer -> its envelope, or the error that it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from .decoding import read_envelope
from .transport import Answer

_REQUEST_ID_HEADERS = ("x-tts-logid", "x-tt-logid", "x-request-id")


@attrs.frozen(kw_only=True)
class Success:
    """An answer with code 0."""

    message: str
    request_id: str
    data: Any
    """As the envelope had it; `decode_data` makes the model of it."""


def open_envelope(
    answer: Answer,
    model: type[Any] | None,
    operation: str,
    secrets: Iterable[str],
    clock: Callable[[], float],
    *,
    quotable: bool = True,
) -> Success:
    """Return the envelope of a successful answer; raise what any other one means.

    Errors about an answer that is not ``quotable`` show nothing of its body.
    """
    envelope = read_envelope(answer.body, model)
    code = None if envelope is None else _integer(envelope.code)
    if envelope is not None and code == 0 and answer.status < 300:
        return Success(
            message=_text(envelope.message),
            request_id=_text(envelope.request_id) or _request_id(answer) or "",
            data=envelope.data,
        )
    # What errors mean takes a while to import, and most programs meet none at their start.
    from .refusals import Context, refused, unexpected

    context = Context(
        answer=answer,
        operation=operation,
        secrets=tuple(secrets),
        request_id=(_text(envelope.request_id) if envelope else "") or _request_id(answer),
        clock=clock,
        quotable=quotable,
    )
    if envelope is None or code is None:
        raise unexpected(context)
    raise refused(context, code, _text(envelope.message))


def _request_id(answer: Answer) -> str | None:
    headers = answer.headers
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def _integer(code: Any) -> int | None:
    if isinstance(code, int) and not isinstance(code, bool):
        return code
    if isinstance(code, str):
        try:
            return int(code)
        except ValueError:
            return None
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
