"""How an attempt ended, as far as it matters for what may follow."""

from __future__ import annotations

from enum import Enum

from ..errors import (
    AccessTokenExpiredError,
    InvalidArgumentError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    ServiceUnavailableError,
    SignatureError,
    TikTokAPIError,
    TransportError,
)


class AttemptEnd(Enum):
    """How an attempt ended; ``docs/outcomes.md`` shows what follows from each."""

    SUCCEEDED = "succeeded"
    NOT_SENT = "not sent"
    """No complete request can have reached the service."""
    THROTTLED = "throttled"
    """Refused before it was processed, because there are too many calls."""
    REFUSED = "refused"
    """Refused, and not carried out."""
    UNKNOWN = "unknown"
    """Sent, or partly sent; it may have been processed."""


_GATEWAY_REFUSALS = (
    AccessTokenExpiredError,
    PermissionDeniedError,
    ReauthorizationRequiredError,
    SignatureError,
)
"""Decided before the service sees the request, so the HTTP status adds nothing."""


def end_of(error: BaseException, *, maybe_sent: bool) -> AttemptEnd:
    """Return how an attempt ended that raised ``error``; in doubt, `AttemptEnd.UNKNOWN`."""
    # An argument found to be invalid while it is sent, such as a file that shrinks, leaves the
    # request incomplete.
    if not maybe_sent or isinstance(error, InvalidArgumentError):
        return AttemptEnd.NOT_SENT
    if isinstance(error, TransportError):
        return AttemptEnd.UNKNOWN if error.maybe_sent else AttemptEnd.NOT_SENT
    if isinstance(error, RateLimitError):
        return AttemptEnd.THROTTLED
    if isinstance(error, _GATEWAY_REFUSALS):
        return AttemptEnd.REFUSED
    if isinstance(error, ServiceUnavailableError) or not isinstance(error, TikTokAPIError):
        return AttemptEnd.UNKNOWN
    return AttemptEnd.UNKNOWN if (error.http_status or 0) >= 500 else AttemptEnd.REFUSED
