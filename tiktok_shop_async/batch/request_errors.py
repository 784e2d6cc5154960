"""Refusals that are about one request, and those that would befall any."""

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

_ABOUT_WHO_CALLS = (
    AccessTokenExpiredError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    ServiceUnavailableError,
    SignatureError,
)
"""They may be over when a batch is run again."""


def is_about_the_request(error: TikTokShopError) -> bool:
    """Tell whether the service refused this very request, as it would again."""
    return (
        isinstance(error, TikTokAPIError)
        and not error.retryable
        and not isinstance(error, _ABOUT_WHO_CALLS)
    )
