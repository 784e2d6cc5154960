"""Errors of the service: about one request, or about the caller and so about every request."""

from __future__ import annotations

from ..errors import (
    AccessTokenExpiredError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    ServiceUnavailableError,
    SignatureError,
    TikTokAPIError,
    TikTokShopError,
)

_ABOUT_THE_CALLER = (
    AccessTokenExpiredError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    ServiceUnavailableError,
    SignatureError,
)
"""Their cause may be gone when the batch is run again."""


def is_about_the_request(error: TikTokShopError) -> bool:
    """Return whether the service rejected this request and would reject it again."""
    return (
        isinstance(error, TikTokAPIError)
        and not error.retryable
        and not isinstance(error, _ABOUT_THE_CALLER)
    )
