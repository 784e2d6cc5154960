"""How an attempt ended, and the error of a call whose outcome is unknown."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from ..errors import (
    AccessTokenExpiredError,
    InvalidArgumentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    ServiceUnavailableError,
    SignatureError,
    TikTokAPIError,
    TikTokShopError,
    TransportError,
)

if TYPE_CHECKING:
    from .request import Call


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


def classify_end(error: BaseException, *, maybe_sent: bool) -> AttemptEnd:
    """Return how the attempt that raised ``error`` ended; in doubt, `AttemptEnd.UNKNOWN`."""
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


def outcome_unknown(call: Call, error: BaseException, attempts: int) -> OutcomeUnknownError:
    """Return the error of a write that may have been processed, chained to what ended the call."""
    ours = error if isinstance(error, TikTokShopError) else None
    reason = ours.message if ours else f"{type(error).__name__} was raised."
    unknown = OutcomeUnknownError(
        f"the call may or may not have taken effect: {reason}",
        operation=call.operation.id,
        request_id=ours and ours.request_id,
        http_status=ours and ours.http_status,
        idempotency_key=call.idempotency_key,
        hint=_what_to_check(call),
    )
    unknown.attempts = attempts
    unknown.__cause__ = error
    return unknown


def _what_to_check(call: Call) -> str:
    if call.idempotency_key is not None:
        return "Repeat it with the idempotency_key of this error: then it happens once."
    return _WHAT_TO_CHECK.get(
        call.operation.id, "Read back what the call should have changed before you repeat it."
    )


_WHAT_TO_CHECK = {
    "return_refund.cancel_order": (
        "Look at the order's status (order.get_order_detail) and its cancellations "
        "(return_refund.search_cancellations by order id) before you repeat it: "
        "batch.resolve_cancellation does so."
    )
}
