"""The ends of attempts, and the error of a call whose outcome is unknown."""

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
    from .call import Call


class AttemptEnd(Enum):
    """The end of an attempt; ``docs/outcomes.md`` shows what follows from each."""

    SUCCEEDED = "succeeded"
    NOT_SENT = "not sent"
    """No complete request can have reached the service."""
    THROTTLED = "throttled"
    """Rejected before it was processed, because there are too many calls."""
    REFUSED = "refused"
    """Rejected by the service without taking effect."""
    UNKNOWN = "unknown"
    """Sent completely or in part; it may have been processed."""


_GATEWAY_ERRORS = (
    AccessTokenExpiredError,
    PermissionDeniedError,
    ReauthorizationRequiredError,
    SignatureError,
)
"""Errors of the gateway, raised before the service gets the request, whatever the HTTP status."""


def classify_end(error: BaseException, *, maybe_sent: bool) -> AttemptEnd:
    """Return the end of an attempt that raised ``error``; if in doubt, `AttemptEnd.UNKNOWN`."""
    # An argument that turns out to be invalid while it is sent, such as a file that shrinks, leaves
    # the request incomplete.
    if not maybe_sent or isinstance(error, InvalidArgumentError):
        return AttemptEnd.NOT_SENT
    if isinstance(error, TransportError):
        return AttemptEnd.UNKNOWN if error.maybe_sent else AttemptEnd.NOT_SENT
    if isinstance(error, RateLimitError):
        return AttemptEnd.THROTTLED
    if isinstance(error, _GATEWAY_ERRORS):
        return AttemptEnd.REFUSED
    if isinstance(error, ServiceUnavailableError) or not isinstance(error, TikTokAPIError):
        return AttemptEnd.UNKNOWN
    return AttemptEnd.UNKNOWN if (error.http_status or 0) >= 500 else AttemptEnd.REFUSED


def outcome_unknown(call: Call, error: BaseException, attempts: int) -> OutcomeUnknownError:
    """Return the error of a write that may have been processed, chained to the call's own error."""
    ours = error if isinstance(error, TikTokShopError) else None
    reason = ours.message if ours else f"{type(error).__name__} was raised."
    unknown = OutcomeUnknownError(
        f"the call may or may not have taken effect: {reason}",
        operation=call.operation.id,
        request_id=ours and ours.request_id,
        http_status=ours and ours.http_status,
        idempotency_key=call.idempotency_key,
        hint=_recovery_hint(call),
    )
    unknown.attempts = attempts
    unknown.__cause__ = error
    return unknown


def _recovery_hint(call: Call) -> str:
    if call.idempotency_key is not None:
        return "Retry it with the idempotency_key of this error: it takes effect only once."
    return _RECOVERY_HINTS.get(
        call.operation.id, "Read what the call should have changed before you retry it."
    )


_RECOVERY_HINTS = {
    "return_refund.cancel_order": (
        "Before you retry it, check the order's status (order.get_order_detail) and its "
        "cancellations (return_refund.search_cancellations by order id), "
        "as batch.resolve_cancellation does."
    )
}
