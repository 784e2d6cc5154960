"""Checks that the service makes before it reads the arguments of a request."""

from __future__ import annotations

import httpx

from ...pipeline.operation import Operation
from ...spec.signature_verifier import SignatureVerifier
from .call_arguments import MalformedRequestError

INVALID_SIGNATURE = 106001
_INVALID_CREDENTIALS = 36009004
_INVALID_PARAMETER = 36009004
_MISSING_CIPHER = 106013
_CIPHERS = ("shop_cipher", "category_asset_cipher")


class UnexpectedRequestError(AssertionError):
    """A request that is not mocked, or that the service would reject."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """The error code of the service; None if only the test did not expect the request."""


def check_token(operation: Operation, request: httpx.Request) -> None:
    """Raise for a missing access token, the first error that the service returns."""
    if not request.headers.get("x-tts-access-token"):
        raise rejection(operation, _INVALID_CREDENTIALS, "its access token is missing")


def check_signature(
    operation: Operation, request: httpx.Request, *, path: str, app_secret: str
) -> None:
    """Raise for a signature that does not match the app's secret."""
    params = request.url.params
    form = request.headers.get("content-type", "").startswith("multipart/")
    if not SignatureVerifier(app_secret).matches(
        params.get("sign", ""), path, params.multi_items(), b"" if form else request.content
    ):
        raise rejection(
            operation,
            INVALID_SIGNATURE,
            "its signature is wrong. The app_secret of your client must be that of the mock: pass "
            "yours as MockTikTokShop(app_secret=...), or use mock.app_secret",
        )


def check_ciphers(operation: Operation, request: httpx.Request) -> None:
    """Raise for a missing or unexpected cipher."""
    params = request.url.params
    for cipher in _CIPHERS:
        if cipher != operation.cipher and cipher in params:
            raise rejection(operation, _INVALID_CREDENTIALS, f"it must not have the {cipher}")
    if operation.cipher and not params.get(operation.cipher):
        raise rejection(operation, _MISSING_CIPHER, f"its {operation.cipher} is missing")


def malformed_error(operation: Operation, error: MalformedRequestError) -> UnexpectedRequestError:
    """Return the error for arguments that cannot be read."""
    return rejection(operation, _INVALID_PARAMETER, str(error))


def rejection(operation: Operation, code: int, reason: str) -> UnexpectedRequestError:
    """Return the error for a request that the service would reject."""
    return UnexpectedRequestError(
        f"{operation.id}: the service would reject the request with code {code}: {reason}.",
        code=code,
    )
