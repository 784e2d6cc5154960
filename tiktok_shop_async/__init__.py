"""An asyncio-first SDK for TikTok Shop's Open API."""

from typing import TYPE_CHECKING

from ._internal.lazy_exports import lazy_exports
from ._version import __version__
from .client import AsyncTikTokShop
from .errors import (
    AccessTokenExpiredError,
    AuthorizationDeniedError,
    AuthorizationError,
    ClientClosedError,
    ConnectError,
    InvalidArgumentError,
    InvalidRequestError,
    JournalError,
    LeaseLostError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServiceUnavailableError,
    SignatureError,
    StaleVersionError,
    StateError,
    StateExpiredError,
    TikTokAPIError,
    TikTokShopError,
    TokenStoreError,
    TransportError,
    WebhookBodyError,
    WebhookError,
    WebhookExpiredError,
    WebhookSignatureError,
    WebhookStoreError,
    WebhookStoreFullError,
)

if TYPE_CHECKING:
    from ._internal.personal_data import show_personal_data
    from .auth import AuthState, TikTokShopOAuth, Token
    from .options import RequestOptions
    from .pagination import Pager
    from .pipeline.retry import ExponentialBackoff, FailedAttempt, RetryPolicy
    from .response import APIResponse, DecodingIssue, FileResponse

__all__ = [
    "APIResponse",
    "AccessTokenExpiredError",
    "AsyncTikTokShop",
    "AuthState",
    "AuthorizationDeniedError",
    "AuthorizationError",
    "ClientClosedError",
    "ConnectError",
    "DecodingIssue",
    "ExponentialBackoff",
    "FailedAttempt",
    "FileResponse",
    "InvalidArgumentError",
    "InvalidRequestError",
    "JournalError",
    "LeaseLostError",
    "OutcomeUnknownError",
    "Pager",
    "PermissionDeniedError",
    "RateLimitError",
    "ReauthorizationRequiredError",
    "RequestOptions",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "RetryPolicy",
    "ServiceUnavailableError",
    "SignatureError",
    "StaleVersionError",
    "StateError",
    "StateExpiredError",
    "TikTokAPIError",
    "TikTokShopError",
    "TikTokShopOAuth",
    "Token",
    "TokenStoreError",
    "TransportError",
    "WebhookBodyError",
    "WebhookError",
    "WebhookExpiredError",
    "WebhookSignatureError",
    "WebhookStoreError",
    "WebhookStoreFullError",
    "__version__",
    "show_personal_data",
]

# No program needs these before its first call, and they take a while to import.
_, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "APIResponse": "response",
        "AuthState": "auth",
        "DecodingIssue": "response",
        "ExponentialBackoff": "pipeline.retry",
        "FailedAttempt": "pipeline.retry",
        "FileResponse": "response",
        "Pager": "pagination",
        "RequestOptions": "options",
        "RetryPolicy": "pipeline.retry",
        "TikTokShopOAuth": "auth",
        "Token": "auth",
        "show_personal_data": "_internal.personal_data",
    },
)
