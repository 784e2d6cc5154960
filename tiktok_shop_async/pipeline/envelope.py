"""Status, headers and body of an answer -> its envelope, or the error that it means."""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any

import attrs

from ..errors import (
    RateLimitError,
    ResponseDecodeError,
    ServiceUnavailableError,
    TikTokAPIError,
)
from ..redaction import excerpt, redact
from .decoding import Envelope, read_envelope
from .service_codes import Meaning, meaning_of_code, meaning_of_status
from .transport import Answer

_REQUEST_ID_HEADERS = ("x-tts-logid", "x-tt-logid", "x-request-id")


@attrs.frozen(kw_only=True)
class Success:
    """An answer with code 0."""

    message: str
    request_id: str
    data: Any
    """As the envelope had it; `decode_data` makes the model of it."""


@attrs.frozen(kw_only=True)
class _Context:
    """What the errors about an answer have in common."""

    answer: Answer
    operation: str
    secrets: tuple[str, ...]
    request_id: str | None

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "operation": self.operation,
            "http_status": self.answer.status,
            "request_id": self.request_id,
        }

    def excerpt(self) -> str:
        return excerpt(self.answer.body, self.secrets)


def open_envelope(
    answer: Answer, model: type[Any] | None, operation: str, secrets: Iterable[str]
) -> Success:
    """Return the envelope of a successful answer; raise what any other one means."""
    envelope = read_envelope(answer.body, model)
    code = None if envelope is None else _integer(envelope.code)
    if envelope is not None and code == 0 and answer.status < 300:
        return Success(
            message=_text(envelope.message),
            request_id=_text(envelope.request_id) or _request_id(answer) or "",
            data=envelope.data,
        )
    context = _Context(
        answer=answer,
        operation=operation,
        secrets=tuple(secrets),
        request_id=(_text(envelope.request_id) if envelope else "") or _request_id(answer),
    )
    if envelope is None or code is None:
        raise _unexpected(context)
    raise _refused(context, code, envelope)


def _refused(context: _Context, code: int, envelope: Envelope) -> TikTokAPIError:
    status = context.answer.status
    message = redact(_text(envelope.message), context.secrets) or "the service gave no reason"
    if code == 0:
        # Success in the body, failure in the status: something in between answered for the service.
        return ServiceUnavailableError(
            f"code 0, but HTTP {status}: {message}", code=code, **context.facts
        )
    return _meant(meaning_of_code(code, message, status), message, context, code=code)


def _unexpected(context: _Context) -> TikTokAPIError | ResponseDecodeError:
    """Return the error of an answer that the service's gateway did not give."""
    status, text = context.answer.status, context.excerpt()
    if status >= 400:
        reason = f"no answer of the service itself: {text or 'an empty body'}"
        return _meant(meaning_of_status(status), reason, context, code=None)
    if status >= 300:
        message = "redirected, and redirects are not followed: a signature is for one URL."
    else:
        message = f"the answer has no envelope with an integer code: {text or 'an empty body'}"
    return ResponseDecodeError(
        message,
        excerpt=text,
        hint="Check base_url, and the proxies on the way.",
        **context.facts,
    )


def _meant(
    meaning: Meaning, message: str, context: _Context, *, code: int | None
) -> TikTokAPIError:
    facts = {
        "code": code,
        "retryable": meaning.retryable,
        "hint": meaning.hint,
        **context.facts,
    }
    if issubclass(meaning.error, RateLimitError):
        facts["retry_after"] = _retry_after(context.answer)
    return meaning.error(message, **facts)


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds of a Retry-After header, which holds them or a date."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


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
