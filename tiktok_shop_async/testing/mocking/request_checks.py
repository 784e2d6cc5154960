"""Checks of a request that the service makes before it looks at the arguments."""

from __future__ import annotations

import httpx

from ...pipeline.operation import Operation
from ...spec.signature_verifier import SignatureVerifier
from .call_arguments import MalformedRequestError
from .mock_operation import UnexpectedRequestError

INVALID_SIGNATURE = 106001
_INVALID_CREDENTIALS = 36009004
_INVALID_PARAMETER = 36009004
_MISSING_CIPHER = 106013
_CIPHERS = ("shop_cipher", "category_asset_cipher")


def check_token(called: Operation, request: httpx.Request) -> None:
    """Raise for a request without an access token, which the service notices first."""
    if not request.headers.get("x-tts-access-token"):
        raise rejected(called, _INVALID_CREDENTIALS, "it has no access token")


def check_signature(
    called: Operation, request: httpx.Request, *, path: str, app_secret: str
) -> None:
    """Raise for a signature that is not that of the app."""
    params = request.url.params
    form = request.headers.get("content-type", "").startswith("multipart/")
    if not SignatureVerifier(app_secret).matches(
        params.get("sign", ""), path, params.multi_items(), b"" if form else request.content
    ):
        raise rejected(
            called,
            INVALID_SIGNATURE,
            "its signature is wrong. Is the app_secret of your client the mock's? Give yours as "
            "MockTikTokShop(app_secret=...), or take mock.app_secret",
        )


def check_ciphers(called: Operation, request: httpx.Request) -> None:
    """Raise for a cipher that is missing or unwanted."""
    params = request.url.params
    for cipher in _CIPHERS:
        if cipher != called.cipher and cipher in params:
            raise rejected(called, _INVALID_CREDENTIALS, f"it must not have the {cipher}")
    if called.cipher and not params.get(called.cipher):
        raise rejected(called, _MISSING_CIPHER, f"it lacks the {called.cipher}")


def malformed(called: Operation, error: MalformedRequestError) -> UnexpectedRequestError:
    """Return the error for arguments that cannot be read."""
    return rejected(called, _INVALID_PARAMETER, str(error))


def rejected(called: Operation, code: int, reason: str) -> UnexpectedRequestError:
    """Return the error for a request that the service would reject."""
    return UnexpectedRequestError(
        f"{called.id}: the service would refuse it with {code}, {reason}.", code=code
    )
