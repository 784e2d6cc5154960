"""An asyncio-first SDK for TikTok Shop's Open API."""

from ._version import __version__
from .auth import AuthState
from .client import AsyncTikTokShop
from .errors import (
    AccessTokenExpiredError,
    ClientClosedError,
    ConnectError,
    InvalidArgumentError,
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServiceUnavailableError,
    SignatureError,
    TikTokAPIError,
    TikTokShopError,
    TransportError,
    WebhookSignatureError,
)
from .options import RequestOptions
from .pagination import Pager
from .response import APIResponse, DecodingIssue, FileResponse

__all__ = [
    "APIResponse",
    "AccessTokenExpiredError",
    "AsyncTikTokShop",
    "AuthState",
    "ClientClosedError",
    "ConnectError",
    "DecodingIssue",
    "FileResponse",
    "InvalidArgumentError",
    "InvalidRequestError",
    "OutcomeUnknownError",
    "Pager",
    "PermissionDeniedError",
    "RateLimitError",
    "ReauthorizationRequiredError",
    "RequestOptions",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "ServiceUnavailableError",
    "SignatureError",
    "TikTokAPIError",
    "TikTokShopError",
    "TransportError",
    "WebhookSignatureError",
    "__version__",
]
