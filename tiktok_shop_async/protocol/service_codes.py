"""The meanings of the service's error codes, from its page ``common-errors``."""

from __future__ import annotations

import re

import attrs

from ..errors import (
    AccessTokenExpiredError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    ServiceUnavailableError,
    SignatureError,
    TikTokAPIError,
)


@attrs.frozen
class Meaning:
    """The meaning of an error code: the error to raise, a hint, and whether a retry may help."""

    error: type[TikTokAPIError]
    hint: str | None = None
    retryable: bool = False


_CHECK_SIGNING = (
    "Check that app key and app secret belong to the same app and are complete, without spaces or "
    "line breaks, and that no proxy changes the request."
)
_CHECK_ACCESS = (
    "Check that the access token is complete, belongs to this app, and was not replaced by a later "
    "refresh."
)
_CHECK_CLOCK = (
    "Check this machine's clock: a timestamp must be at most 5 minutes old and 30 seconds ahead."
)
_FETCH_REASONS = (
    "Cancel reasons depend on the order's status and region: "
    "return_refund.get_aftersale_eligibility lists the valid ones."
)

HOURLY_QUOTA = 36009037
"""The hourly quota of a development shop is used up."""

_MEANINGS = {
    101000: Meaning(
        PermissionDeniedError,
        "The operation is not available to the token's user type or to its shop.",
    ),
    # Not AccessTokenExpiredError: it is not documented that a refresh helps, or that the call was
    # not processed.
    105001: Meaning(
        ReauthorizationRequiredError,
        f"{_CHECK_ACCESS} If it is correct, the seller must authorize the app again.",
    ),
    105002: Meaning(
        AccessTokenExpiredError, "Refresh the access token and retry the call.", retryable=True
    ),
    105005: Meaning(
        PermissionDeniedError,
        "Enable the scope for the app in Partner Center; then the seller must authorize it again.",
    ),
    106001: Meaning(SignatureError, _CHECK_SIGNING),
    106013: Meaning(InvalidRequestError, "Set client.auth.shop_cipher, or use client.for_shop()."),
    25001014: Meaning(InvalidRequestError, _FETCH_REASONS),
    25001021: Meaning(InvalidRequestError, _FETCH_REASONS),
    36004001: Meaning(ReauthorizationRequiredError, "The refresh token has expired."),
    36004004: Meaning(
        ReauthorizationRequiredError,
        "An authorization code can be used once, within 30 minutes.",
    ),
    36004005: Meaning(ReauthorizationRequiredError, "The shop has not authorized the app."),
    36009002: Meaning(RateLimitError, "Wait, then retry the call.", retryable=True),
    36009003: Meaning(ServiceUnavailableError, retryable=True),
    36009004: Meaning(InvalidRequestError),
    36009007: Meaning(ServiceUnavailableError, retryable=True),
    36009009: Meaning(InvalidRequestError),
    36009010: Meaning(InvalidRequestError),
    36009014: Meaning(InvalidRequestError, "Choose another api_version."),
    36009021: Meaning(InvalidRequestError, "The request is larger than the operation accepts."),
    36009022: Meaning(InvalidRequestError),
    36009023: Meaning(InvalidRequestError),
    36009033: Meaning(
        PermissionDeniedError,
        "Add this machine's IP address to the app's allow list in Partner Center.",
    ),
    HOURLY_QUOTA: Meaning(
        RateLimitError, "The hourly quota of the development shop is used up: wait until next hour."
    ),
    36009043: Meaning(PermissionDeniedError, "The shop is inactive; a new token does not help."),
    36009044: Meaning(PermissionDeniedError, "The seller is inactive; a new token does not help."),
    45101004: Meaning(RateLimitError, "The daily quota of creator searches is used up."),
    98001004: Meaning(
        InvalidRequestError,
        "A value is out of range, often page_size. The message names it; the operation's page in "
        "Partner Center has the limits.",
    ),
}

_GATEWAY_FAULTS = (
    ("timestamp", Meaning(SignatureError, _CHECK_CLOCK)),
    ("app[_ ]key", Meaning(SignatureError, _CHECK_SIGNING)),
    (
        "x-tts-access-token|access[_ ]token",
        Meaning(SignatureError, "Set client.auth.access_token."),
    ),
    ("sign|signature", Meaning(SignatureError, _CHECK_SIGNING)),
)
"""Meanings of 36009004 by the gateway's parameter that the message names; the first match wins."""

_GATEWAY_PARAMETERS = tuple(
    # Whole words only: not a part of a longer name or of a path into the body.
    (re.compile(rf"(?<![\w.$\[-])(?:{names})(?![\w\[-]|\.\w)", re.IGNORECASE), meaning)
    for names, meaning in _GATEWAY_FAULTS
)
_OTHER_PARAMETER = re.compile(
    r"(?!(?:app_key|app_secret|access_token|shop_cipher|request_id)\b)\b[a-z]\w*_\w+", re.IGNORECASE
)
"""A name with an underscore that is not the gateway's, such as ``update_time_ge``."""

_BY_HTTP_STATUS = {
    401: Meaning(PermissionDeniedError, _CHECK_ACCESS),
    403: Meaning(PermissionDeniedError),
    408: Meaning(ServiceUnavailableError, retryable=True),
    429: Meaning(RateLimitError, "Wait, then retry the call.", retryable=True),
}


_INTERNAL_FAILURE = re.compile(
    r"""
    \b(
        internal \W+ (\w+ \W+){0,2} (error|errors|exception|failure|fault|issue|problem)
        | (system|server|service|platform|backend|database|network|rpc|unknown|unexpected) \W+
          ((is|was|temporarily|currently|process|processing|call|request) \W+){0,2}
          (error|errors|exception|failure|failed|fault|busy|overloaded|unavailable)
        | time \W? out (?! \W+ of) | timed \W? out | timeout | context \W+ deadline \W+ exceeded
        | (try|retry) (\W+ \w+){0,2} \W+ (again|later) | retry \W+ later
    )\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Words that name a failure of the service, rather than an error in the request."""


def names_internal_failure(message: str) -> bool:
    """Return whether a message names a failure of the service itself; an empty one counts."""
    return not message.strip() or _INTERNAL_FAILURE.search(message.replace("_", " ")) is not None


def meaning_of_code(code: int, message: str, http_status: int) -> Meaning:
    """Return the meaning of a code; for an unlisted code, status and message decide."""
    if code == 36009004 and not _OTHER_PARAMETER.search(message):
        meanings = (meaning for name, meaning in _GATEWAY_PARAMETERS if name.search(message))
        return next(meanings, _MEANINGS[code])
    if code in _MEANINGS:
        return _MEANINGS[code]
    # 401 concerns the caller, not this request: a batch may continue with another token.
    if http_status >= 500 or http_status in (401, 408, 429):
        return meaning_of_status(http_status)
    if http_status != 403 and names_internal_failure(message):
        return Meaning(ServiceUnavailableError, retryable=True)
    return Meaning(TikTokAPIError)


def meaning_of_status(http_status: int) -> Meaning:
    """Return the meaning of a status of 400 or more, for a response without an envelope."""
    if http_status >= 500:
        return Meaning(ServiceUnavailableError, retryable=True)
    return _BY_HTTP_STATUS.get(http_status, Meaning(InvalidRequestError))
