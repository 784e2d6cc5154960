"""The errors that unsuccessful responses mean."""

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
        """Return what every error says."""
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

    def what_came(self) -> str:
        """Return a description of the body for an error message."""
        body = self.response.body
        if not body:
            return "an empty body"
        if not self.quotable:
            return "a body that is not shown, since it may hold secrets"
        shown = self.excerpt() or f"{len(body)} bytes that are not text"
        encodings = ", ".join(content_encodings(self.response.headers))
        return f"{shown} (Content-Encoding: {encodings})" if encodings else shown


def _is_text(body: bytes) -> bool:
    text = body[:_LOOKED_AT].decode("utf-8", "replace")
    odd = sum(not (character.isprintable() or character.isspace()) for character in text)
    return odd + text.count("\ufffd") <= len(text) // 10


_LOOKED_AT = 2400
_STRING = rb'"(?:[^"\\]|\\.)*(?:"|\Z)'
_MEMBER = re.compile(
    rb"(?P<name>%s\s*:\s*)?(?P<value>%s|-?[0-9][0-9.eE+-]*)?" % (_STRING, _STRING), re.DOTALL
)
_QUOTED = re.compile(
    rb'"(?:code|error|error_code|error_message|message|msg|request_id|status)"', re.IGNORECASE
)


def _without_values(body: bytes) -> bytes:
    """Return the beginning of a JSON document, without values that may be personal data."""
    beginning = body[:_LOOKED_AT]
    if not beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[", b'"')):
        return beginning
    envelope, begins, data = beginning.partition(b'"data"')
    return _MEMBER.sub(_quoted_or_masked, envelope) + _MEMBER.sub(_masked, begins + data)


def _quoted_or_masked(found: re.Match[bytes]) -> bytes:
    return found[0] if _QUOTED.match(found["name"] or b"") else _masked(found)


def _masked(found: re.Match[bytes]) -> bytes:
    value = found["value"] or b""
    mask = b'"***"' if value.startswith(b'"') else b"***" if value else b""
    return (found["name"] or b"") + mask


_MAX_MESSAGE = 2000
"""Characters of the service's message that an error shows."""


def refused(failed: FailedResponse, code: int, message: str) -> TikTokAPIError:
    """Return the error of an unsuccessful envelope."""
    status = failed.response.status
    # A secret that straddles the limit must still be found, so the second cut comes last.
    given = redact(message[: _MAX_MESSAGE * 8], failed.secrets)
    cut = given if len(given) <= _MAX_MESSAGE else f"{given[:_MAX_MESSAGE]}…"
    message = cut or "the service gave no reason"
    if code == 0:
        # Success in the body, failure in the status: an intermediary replaced the response.
        return ServiceUnavailableError(
            f"code 0, but HTTP {status}: {message}",
            code=code,
            retry_after=_retry_after(failed),
            **failed.facts,
        )
    return _meant(meaning_of_code(code, given, status), message, failed, code=code)


def unexpected(failed: FailedResponse) -> TikTokAPIError | ResponseDecodeError:
    """Return the error of a response without the service's envelope."""
    status = failed.response.status
    if status >= 400:
        reason = f"not a response of the service itself: {failed.what_came()}"
        return _meant(meaning_of_status(status), reason, failed, code=None)
    if status >= 300:
        message = "redirected, and redirects are not followed: a signature is for one URL."
    else:
        message = f"the response has no envelope with an integer code: {failed.what_came()}"
    return ResponseDecodeError(
        message,
        excerpt=failed.excerpt(),
        hint="Check base_url, and the proxies on the way.",
        **failed.facts,
    )


def _meant(
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
    """Return the seconds of a Retry-After header, which holds them or a date.

    Any other value counts as absent: negative numbers, ``nan``, hundreds of digits.
    """
    value = failed.response.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    date = parse_http_date(value)
    return None if date is None else max(0.0, date - failed.clock.time())
