"""The errors that the service's codes mean, as its page ``common-errors`` lists them."""

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
    """What an error code means to the caller."""

    error: type[TikTokAPIError]
    hint: str | None = None
    retryable: bool = False


_CHECK_SIGNING = (
    "Check that app key and app secret belong to one app and were copied whole, without spaces or "
    "line breaks, and that nothing on the way changes the request."
)
_CHECK_ACCESS = (
    "Check the access token: it must be complete, of this app, and not replaced by a later refresh."
)
_CHECK_CLOCK = "The timestamp must be at most 5 minutes old and 30 seconds ahead: check the clock."
_FETCH_REASONS = (
    "Cancel reasons depend on the order's status and region: "
    "return_refund.get_aftersale_eligibility lists the current ones."
)

HOURLY_QUOTA = 36009037
"""The development shop's quota of the hour is used up."""

_MEANINGS = {
    101000: Meaning(
        PermissionDeniedError, "The token's kind of user or its shop does not fit the operation."
    ),
    # Not AccessTokenExpiredError: no document says that a refresh helps, or that nothing was done.
    105001: Meaning(
        ReauthorizationRequiredError,
        f"{_CHECK_ACCESS} If it is right, have the seller authorize the app again.",
    ),
    105002: Meaning(
        AccessTokenExpiredError, "Refresh the access token and repeat the call.", retryable=True
    ),
    105005: Meaning(
        PermissionDeniedError,
        "Enable the scope for the app in Partner Center, then have the seller authorize it again.",
    ),
    106001: Meaning(SignatureError, _CHECK_SIGNING),
    106013: Meaning(InvalidRequestError, "Set client.auth.shop_cipher, or use client.for_shop()."),
    25001014: Meaning(InvalidRequestError, _FETCH_REASONS),
    25001021: Meaning(InvalidRequestError, _FETCH_REASONS),
    36004001: Meaning(ReauthorizationRequiredError, "The refresh token has expired."),
    36004004: Meaning(
        ReauthorizationRequiredError, "An authorization code works once, and for 30 minutes."
    ),
    36004005: Meaning(ReauthorizationRequiredError, "The shop has not authorized the app."),
    36009002: Meaning(RateLimitError, "Wait, then repeat the call.", retryable=True),
    36009003: Meaning(ServiceUnavailableError, retryable=True),
    36009004: Meaning(InvalidRequestError),
    36009007: Meaning(ServiceUnavailableError, retryable=True),
    36009009: Meaning(InvalidRequestError),
    36009010: Meaning(InvalidRequestError),
    36009014: Meaning(InvalidRequestError, "Choose another api_version."),
    36009021: Meaning(InvalidRequestError, "The request is larger than the operation allows."),
    36009022: Meaning(InvalidRequestError),
    36009023: Meaning(InvalidRequestError),
    36009033: Meaning(
        PermissionDeniedError, "Add this machine's address to the app's list in Partner Center."
    ),
    HOURLY_QUOTA: Meaning(
        RateLimitError, "The development shop's quota of this hour is used up: wait for the next."
    ),
    36009043: Meaning(PermissionDeniedError, "The shop is inactive; a new token does not help."),
    36009044: Meaning(PermissionDeniedError, "The seller is inactive; a new token does not help."),
    45101004: Meaning(RateLimitError, "The quota of creator searches is used up for today."),
    98001004: Meaning(
        InvalidRequestError,
        "A value is outside of its range, often page_size: the message says which, and the "
        "operation's page in Partner Center has the limits.",
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
"""The gateway's own parameters, which tell the faults behind 36009004 apart; the first counts."""

_GATEWAY_PARAMETERS = tuple(
    # Whole words, and no part of a longer name or of a path into the body.
    (re.compile(rf"(?<![\w.$\[-])(?:{names})(?![\w\[-]|\.\w)", re.IGNORECASE), meaning)
    for names, meaning in _GATEWAY_FAULTS
)
_OTHER_PARAMETER = re.compile(
    r"(?!(?:app_key|app_secret|access_token|shop_cipher|request_id)\b)\b[a-z]\w*_\w+", re.IGNORECASE
)
"""A name with an underscore that is not the gateway's: ``update_time_ge is no valid timestamp``."""

_BY_HTTP_STATUS = {
    401: Meaning(PermissionDeniedError, _CHECK_ACCESS),
    403: Meaning(PermissionDeniedError),
    408: Meaning(ServiceUnavailableError, retryable=True),
    429: Meaning(RateLimitError, "Wait, then repeat the call.", retryable=True),
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
"""Words by which a service says that it failed, and not that the request was wrong."""


def names_internal_failure(message: str) -> bool:
    """Return whether a message suggests that the service failed half way; an empty one does."""
    return not message.strip() or _INTERNAL_FAILURE.search(message.replace("_", " ")) is not None


def meaning_of_code(code: int, message: str, http_status: int) -> Meaning:
    """Return what a service's error means; status and message decide on a code not listed here."""
    if code == 36009004 and not _OTHER_PARAMETER.search(message):
        faults = (fault for name, fault in _GATEWAY_PARAMETERS if name.search(message))
        return next(faults, _MEANINGS[code])
    if code in _MEANINGS:
        return _MEANINGS[code]
    # 401 is about who calls, not about this request: a batch may go on with another token.
    if http_status >= 500 or http_status in (401, 408, 429):
        return meaning_of_status(http_status)
    if http_status != 403 and names_internal_failure(message):
        return Meaning(ServiceUnavailableError, retryable=True)
    return Meaning(TikTokAPIError)


def meaning_of_status(http_status: int) -> Meaning:
    """Return what a 4xx or 5xx means that came without an envelope."""
    if http_status >= 500:
        return Meaning(ServiceUnavailableError, retryable=True)
    return _BY_HTTP_STATUS.get(http_status, Meaning(InvalidRequestError))
