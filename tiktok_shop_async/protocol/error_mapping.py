"""The mapping of unsuccessful responses to errors."""

from __future__ import annotations

import re
from typing import Any

import attrs

from .._internal.clock import Clock
from .._internal.http_dates import parse_http_date
from .._internal.redaction import excerpt, redact
from ..errors import (
    ResponseDecodeError,
    ServiceUnavailableError,
    TikTokAPIError,
)
from ..response import RawResponse, content_encodings
from .service_codes import Meaning, meaning_of_code, meaning_of_status


@attrs.frozen(kw_only=True)
class FailedResponse:
    """The facts that all errors about one response share."""

    response: RawResponse
    operation: str
    secrets: tuple[str, ...] = attrs.field(repr=False)
    request_id: str | None
    clock: Clock
    quotable: bool = True

    @property
    def facts(self) -> dict[str, Any]:
        """The facts that every error has."""
        return {
            "operation": self.operation,
            "http_status": self.response.status,
            "request_id": self.request_id,
        }

    def excerpt(self) -> str:
        """Return the beginning of the body, with secrets and the values of JSON masked."""
        if not self.quotable or not _is_text(self.response.body):
            return ""
        return excerpt(_without_values(self.response.body), self.secrets)

    def describe_body(self) -> str:
        """Return a description of the body for an error message."""
        body = self.response.body
        if not body:
            return "an empty body"
        if not self.quotable:
            return "a body that is not shown because it may contain secrets"
        shown = self.excerpt() or f"{len(body)} bytes that are not text"
        encodings = ", ".join(content_encodings(self.response.headers))
        return f"{shown} (Content-Encoding: {encodings})" if encodings else shown


def _is_text(body: bytes) -> bool:
    text = body[:_MAX_EXAMINED].decode("utf-8", "replace")
    unprintable = sum(not (character.isprintable() or character.isspace()) for character in text)
    return unprintable + text.count("\ufffd") <= len(text) // 10


_MAX_EXAMINED = 2400
"""Bytes at the beginning of a body that are examined for an excerpt."""
_STRING = rb'"(?:[^"\\]|\\.)*(?:"|\Z)'
_MEMBER = re.compile(
    rb"(?P<name>%s\s*:\s*)?(?P<value>%s|-?[0-9][0-9.eE+-]*)?" % (_STRING, _STRING), re.DOTALL
)
_QUOTABLE = re.compile(
    rb'"(?:code|error|error_code|error_message|message|msg|request_id|status)"', re.IGNORECASE
)


def _without_values(body: bytes) -> bytes:
    """Return the beginning of a JSON document, without values that may be personal data."""
    beginning = body[:_MAX_EXAMINED]
    if not beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[", b'"')):
        return beginning
    envelope, name, data = beginning.partition(b'"data"')
    return _MEMBER.sub(_mask_unless_quotable, envelope) + _MEMBER.sub(_mask, name + data)


def _mask_unless_quotable(found: re.Match[bytes]) -> bytes:
    return found[0] if _QUOTABLE.match(found["name"] or b"") else _mask(found)


def _mask(found: re.Match[bytes]) -> bytes:
    value = found["value"] or b""
    mask = b'"***"' if value.startswith(b'"') else b"***" if value else b""
    return (found["name"] or b"") + mask


_MAX_MESSAGE = 2000
"""Characters of the service's message that an error shows."""


def map_code(failed: FailedResponse, code: int, message: str) -> TikTokAPIError:
    """Return the error of an envelope with an error code, or with an HTTP status of 300 or more."""
    status = failed.response.status
    # Redact before the final cut, so that a secret at the limit is still found as a whole.
    redacted = redact(message[: _MAX_MESSAGE * 8], failed.secrets)
    shortened = redacted if len(redacted) <= _MAX_MESSAGE else f"{redacted[:_MAX_MESSAGE]}…"
    message = shortened or "the service gave no reason"
    if code == 0:
        # The body reports success but the status does not: an intermediary changed the response.
        return ServiceUnavailableError(
            f"code 0, but HTTP {status}: {message}",
            code=code,
            retry_after=_retry_after(failed),
            **failed.facts,
        )
    return _build_error(meaning_of_code(code, redacted, status), message, failed, code=code)


def map_foreign_response(failed: FailedResponse) -> TikTokAPIError | ResponseDecodeError:
    """Return the error of a response without the service's envelope."""
    status = failed.response.status
    if status >= 400:
        reason = f"the response is not one of the service itself: {failed.describe_body()}"
        return _build_error(meaning_of_status(status), reason, failed, code=None)
    if status >= 300:
        message = "the response is a redirect, which is not followed: a signature is for one URL."
    else:
        message = f"the response has no envelope with an integer code: {failed.describe_body()}"
    return ResponseDecodeError(
        message,
        excerpt=failed.excerpt(),
        hint="Check base_url and the proxies in between.",
        **failed.facts,
    )


def _build_error(
    meaning: Meaning, message: str, failed: FailedResponse, *, code: int | None
) -> TikTokAPIError:
    return meaning.error(
        message,
        code=code,
        retryable=meaning.retryable,
        retry_after=_retry_after(failed),
        hint=meaning.hint,
        **failed.facts,
    )


_SECONDS = re.compile(r"[0-9]{1,10}(?:\.[0-9]*)?|\.[0-9]+")


def _retry_after(failed: FailedResponse) -> float | None:
    """Return the seconds of a Retry-After header, which has a number or a date.

    Any other value is ignored: negative numbers, ``nan``, hundreds of digits.
    """
    value = failed.response.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    date = parse_http_date(value)
    return None if date is None else max(0.0, date - failed.clock.time())
