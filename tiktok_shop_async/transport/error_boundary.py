"""The translation of httpx's errors into this package's errors, without secrets."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import httpx

from .._internal.error_causes import drop_request_frames, strip_cause
from .._internal.redaction import redact
from ..errors import (
    ConnectError,
    InvalidArgumentError,
    RequestTimeoutError,
    ResponseDecodeError,
    TikTokShopError,
    TransportError,
)
from .delivery import Delivery
from .environment import ProxyConnectError, is_about_certificates

HTTPX_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)
_PROTOCOL_ERRORS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)

_PROXY_HINT = (
    "The proxy is set by proxy= or by the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY); "
    "trust_env=False ignores the environment, and NO_PROXY excludes hosts."
)
_CERTIFICATE_HINT = (
    "The server's certificate is not trusted. Behind a proxy that inspects TLS, or with your own "
    "certificate authority, pass verify=ssl.create_default_context(cafile=…) or set SSL_CERT_FILE."
)


class ErrorBoundary:
    """A context manager around the stages of an attempt that translates httpx's errors.

    It drops the frames of the stages from every error. Tracebacks can show the local variables of
    frames, and those of this package, httpx and httpcore contain headers, URLs and signatures.
    """

    __slots__ = ("_connect_errors_are_presend", "_delivery", "_operation", "_secrets")

    def __init__(
        self,
        operation: str,
        *,
        connect_errors_are_presend: bool,
        secrets: Iterable[str] = (),
        delivery: Delivery | None = None,
    ) -> None:
        """Create a boundary for one attempt.

        Args:
            operation: The operation that errors name.
            connect_errors_are_presend: Whether a connect error means that nothing was sent.
            secrets: Values that errors must not show.
            delivery: The record of the request; without it, the request may have been sent.
        """
        self._operation = operation
        self._connect_errors_are_presend = connect_errors_are_presend
        self._secrets = secrets
        self._delivery = delivery

    def __enter__(self) -> None:
        """Do nothing before the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise this package's error in place of httpx's, which contains secrets."""
        del traceback
        if error is None:
            return
        if isinstance(error, (TikTokShopError, CancelledError)):
            error.__traceback__ = None
            if error.__suppress_context__ or isinstance(error, CancelledError):
                error.__context__ = None
            return
        if not isinstance(error, HTTPX_ERRORS):
            drop_request_frames(error)
            return
        secrets = tuple(self._secrets)
        maybe_sent = self._delivery is None or self._delivery.maybe_sent
        ours = _translate(
            error, self._operation, self._connect_errors_are_presend, secrets, maybe_sent
        )
        # Protocol errors are not chained: they quote what could not be sent.
        cause = None if isinstance(error, _PROTOCOL_ERRORS) else strip_cause(error, secrets)
        del error, secrets
        try:
            raise ours from cause
        finally:
            ours.__context__ = None  # Python sets it, to the error with all of its frames
            del ours, cause  # otherwise the error and this frame would refer to each other


def _translate(
    error: Exception,
    operation: str,
    connect_errors_are_presend: bool,
    secrets: Iterable[str],
    maybe_sent: bool,
) -> TikTokShopError:
    reason = redact(str(error), secrets) or type(error).__name__
    facts: dict[str, Any] = {"operation": operation, "maybe_sent": maybe_sent}
    match error:
        case (
            httpx.PoolTimeout() | httpx.ConnectTimeout() | httpx.ConnectError() | httpx.ProxyError()
        ):
            facts["maybe_sent"] = maybe_sent and not connect_errors_are_presend
            return _translate_connect_error(error, reason, facts)
        case httpx.TimeoutException():
            return RequestTimeoutError("no response was received within the timeout.", **facts)
        case httpx.DecodingError():
            return ResponseDecodeError(
                f"the response's content encoding is invalid: {reason}.", operation=operation
            )
        case httpx.LocalProtocolError() if maybe_sent:  # HTTP/2 raises it for received data too
            return TransportError(f"the connection broke: {reason}.", **facts)
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError() | httpx.InvalidURL():
            return InvalidArgumentError(
                f"the request is not valid HTTP: {reason}.", operation=operation
            )
        case _:
            return TransportError(f"the connection broke: {reason}.", **facts)


def _translate_connect_error(
    error: Exception, reason: str, facts: dict[str, Any]
) -> TransportError:
    match error:
        case httpx.PoolTimeout():
            return RequestTimeoutError(
                "no connection of the pool became free within the timeout.",
                hint="Lower max_in_flight to the size of the client's pool, or enlarge the pool.",
                **facts,
            )
        case httpx.ConnectTimeout():
            return RequestTimeoutError("no connection was made within the timeout.", **facts)
        case ProxyConnectError():
            return ConnectError(f"{reason}.", hint=_PROXY_HINT, **facts)
        case httpx.ConnectError():
            hint = _CERTIFICATE_HINT if is_about_certificates(error) else None
            return ConnectError(f"no connection could be made: {reason}.", hint=hint, **facts)
        case _:
            hint = f"Check the proxy's user and password. {_PROXY_HINT}"
            return ConnectError(f"the proxy made no connection: {reason}.", hint=hint, **facts)
