"""Answers that are no success -> the errors that they mean."""

from __future__ import annotations

from collections.abc import Callable
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
from .service_codes import Meaning, meaning_of_code, meaning_of_status
from .transport import Answer


@attrs.frozen(kw_only=True)
class Context:
    """What the errors about one answer have in common."""

    answer: Answer
    operation: str
    secrets: tuple[str, ...] = attrs.field(repr=False)
    request_id: str | None
    clock: Callable[[], float]
    quotable: bool = True

    @property
    def facts(self) -> dict[str, Any]:
        """Return what every error says."""
        return {
            "operation": self.operation,
            "http_status": self.answer.status,
            "request_id": self.request_id,
        }

    def excerpt(self) -> str:
        """Return the beginning of the body, with secrets masked."""
        return excerpt(self.answer.body, self.secrets) if self.quotable else ""

    def what_came(self) -> str:
        """Return how to speak of the body."""
        if self.answer.body and not self.quotable:
            return "a body that is not shown, since it may hold secrets"
        return self.excerpt() or "an empty body"


def refused(context: Context, code: int, message: str) -> TikTokAPIError:
    """Return the error of an envelope that is no success."""
    status = context.answer.status
    given = redact(message, context.secrets)
    message = given or "the service gave no reason"
    if code == 0:
        # Success in the body, failure in the status: something in between answered for the service.
        return ServiceUnavailableError(
            f"code 0, but HTTP {status}: {message}", code=code, **context.facts
        )
    return _meant(meaning_of_code(code, given, status), message, context, code=code)


def unexpected(context: Context) -> TikTokAPIError | ResponseDecodeError:
    """Return the error of an answer that the service's gateway did not give."""
    status = context.answer.status
    if status >= 400:
        reason = f"no answer of the service itself: {context.what_came()}"
        return _meant(meaning_of_status(status), reason, context, code=None)
    if status >= 300:
        message = "redirected, and redirects are not followed: a signature is for one URL."
    else:
        message = f"the answer has no envelope with an integer code: {context.what_came()}"
    return ResponseDecodeError(
        message,
        excerpt=context.excerpt(),
        hint="Check base_url, and the proxies on the way.",
        **context.facts,
    )


def _meant(meaning: Meaning, message: str, context: Context, *, code: int | None) -> TikTokAPIError:
    facts = {
        "code": code,
        "retryable": meaning.retryable,
        "hint": meaning.hint,
        **context.facts,
    }
    if issubclass(meaning.error, RateLimitError):
        facts["retry_after"] = _retry_after(context)
    return meaning.error(message, **facts)


def _retry_after(context: Context) -> float | None:
    """Return the seconds of a Retry-After header, which holds them or a date."""
    value = context.answer.headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - context.clock())
    except (ValueError, OverflowError):
        return None
