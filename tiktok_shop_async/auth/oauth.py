"""OAuth: authorize pages, code exchange and token refresh."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias
from urllib.parse import quote, urlencode

import httpx

from .._internal.argument_checks import check_clock, check_timeout, check_transport
from .._internal.clock import TimeSource, clock_of
from .._internal.closing import ClosedOnExit, warn_unclosed
from .._internal.secret import Secret
from .._internal.unpicklable import Unpicklable
from .._version import __version__
from ..client_options import checked_base_url
from ..errors import (
    InvalidArgumentError,
    OutcomeUnknownError,
    ResponseDecodeError,
    ServiceUnavailableError,
    TikTokShopError,
    TransportError,
)
from ..pipeline.lifetime import Lifetime
from ..protocol.envelope import Decoded, ErrorContext, decode
from ..transport.connection_stack import new_transport
from ..transport.environment import check_network_settings
from ..transport.error_boundary import ErrorBoundary
from ..transport.receiving import receive
from ..transport.sending import connect_errors_are_presend
from .token import Token

if TYPE_CHECKING:
    from ..options import Timeout

Role: TypeAlias = Literal["seller", "partner", "creator"]
Region: TypeAlias = Literal["us", "row"]

MAX_IN_FLIGHT = 100
TOKEN_HOST = "https://auth.tiktok-shops.com"  # noqa: S105 - public
AUTHORIZE_HOSTS = MappingProxyType(
    {
        ("seller", "us"): "https://services.us.tiktokshop.com",
        ("seller", "row"): "https://services.tiktokshop.com",
        ("partner", "us"): "https://partner.us.tiktokshop.com",
        ("partner", "row"): "https://partner.tiktokshop.com",
        ("creator", "us"): "https://shop.tiktok.com",
        ("creator", "row"): "https://shop.tiktok.com",
    }
)
"""Hosts of the authorize pages by role and region (``authorization-overview-202407``)."""


class TikTokShopOAuth(ClosedOnExit, Unpicklable):
    """The OAuth client: URLs of authorize pages, code exchange and token refresh.

    The platform requires secrets in the URLs of its token calls. These calls therefore bypass
    httpx's log of URLs, and their errors contain nothing of the request or the response. Use it as
    an async context manager, or call `aclose` when done.
    """

    def __init__(
        self,
        app_key: str,
        app_secret: str,
        *,
        service_id: str | None = None,
        base_url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: Timeout | None = 10.0,
        proxy: str | httpx.Proxy | None = None,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        clock: TimeSource = time.time,
    ) -> None:
        """Create the client; it connects at the first exchange or refresh.

        Args:
            service_id: The id of the app on the pages of sellers and partners; see Partner Center.
            base_url: Replaces all hosts of the platform, for a sandbox.
            transport: An HTTPX transport to send with; it is closed with this client. A transport
                that logs URLs logs secrets.
            timeout: Seconds for each connect, write and read; None waits without limit.
            proxy: A proxy as in httpx; by default those of the environment are used.
            verify: False disables certificate checks.
            trust_env: Whether to use proxies and certificates from the environment.
            clock: A `Clock`, or a function that returns Unix seconds.
        """
        secret = Secret(app_secret)
        del app_secret  # tracebacks can show local variables
        if transport is not None and proxy is not None:
            raise InvalidArgumentError(
                "transport cannot be combined with proxy.", argument="transport"
            )
        check_transport(transport)
        check_clock(clock)
        check_network_settings(verify, trust_env)
        check_timeout(timeout, "None waits without limit.")
        self.app_key = Secret(app_key).required("app_key")
        self._app_secret = secret.required("app_secret")
        self.service_id = Secret(service_id).optional("service_id")
        self._base_url = TOKEN_HOST if base_url is None else checked_base_url(base_url)
        self._authorize_host = None if base_url is None else self._base_url
        self._timeout = timeout
        self._clock = clock_of(clock)
        if transport is None:
            transport = new_transport(
                self._base_url, proxy=proxy, verify=verify, trust_env=trust_env
            )
        self._transport = transport
        http_client = httpx.AsyncClient(transport=self._transport)
        self._connect_errors_are_presend = connect_errors_are_presend(http_client)
        self._lifetime = Lifetime(http_client, MAX_IN_FLIGHT)

    def authorization_url(
        self, role: Role = "seller", region: Region = "us", state: str | None = None
    ) -> str:
        """Return the URL of the page where a user authorizes the app.

        Args:
            region: The region of the seller or partner: ``"us"``, or ``"row"`` for the rest of the
                world.
            state: Returned with the redirect, to verify that the same browser started it; see
                `StateSigner`. Required for creators.
        """
        if (role, region) not in AUTHORIZE_HOSTS:
            is_role = role in ("seller", "partner", "creator")
            argument, value = ("region", region) if is_role else ("role", role)
            accepted = "us or row" if is_role else "seller, partner or creator"
            raise InvalidArgumentError(
                f"{argument} must be {accepted}, not {value!r:.50}.", argument=argument
            )
        host = self._authorize_host or AUTHORIZE_HOSTS[role, region]
        if role == "creator":
            if not state:
                raise InvalidArgumentError(
                    "state is required for the authorize page of creators.", argument="state"
                )
            page, query = "/alliance/creator/auth", {"app_key": self.app_key}
        else:
            if not self.service_id:
                raise InvalidArgumentError(
                    "service_id is required for the authorize pages of sellers and partners.",
                    argument="service_id",
                    hint="Partner Center shows it in the app's authorization link.",
                )
            page, query = "/open/authorize", {"service_id": self.service_id}
        if state:
            query["state"] = state
        if role == "partner" and self._authorize_host:
            query["role"] = role  # a sandbox has one host for both
        return f"{host}{page}?{urlencode(query, quote_via=quote)}"

    async def exchange(self, code: str) -> Token:
        """Exchange the code of an authorize page's redirect for a token.

        A code can be used once, for half an hour.

        Raises:
            ReauthorizationRequiredError: The code was used or has expired.
            OutcomeUnknownError: The response was lost, so the code may or may not have been used.
        """
        secret = Secret(code)
        del code  # tracebacks can show local variables
        request = self._request(
            "/api/v2/token/get", "authorized_code", auth_code=_checked(secret, "code")
        )
        return await self._call(request, "oauth.exchange", single_use=True)

    async def refresh(self, refresh_token: str) -> Token:
        """Return the token that replaces the one with this refresh token.

        `Authorizations` calls this in time, once for all tasks and processes.

        Raises:
            ReauthorizationRequiredError: The user must authorize the app again.
        """
        secret = Secret(refresh_token)
        del refresh_token
        request = self._request(
            "/api/v2/token/refresh",
            "refresh_token",
            refresh_token=_checked(secret, "refresh_token"),
        )
        return await self._call(request, "oauth.refresh", single_use=False)

    async def aclose(self) -> None:
        """Close the connections; later calls raise `ClientClosedError`."""
        self._lifetime.close()
        await self._lifetime.close_connections()

    async def __aenter__(self) -> Self:
        self._lifetime.check_usable()
        return self

    def __del__(self) -> None:
        lifetime: Lifetime | None = vars(self).get("_lifetime")  # missing if __init__ raised
        if lifetime is not None and lifetime.is_left_open:
            warn_unclosed(self)

    def __repr__(self) -> str:
        if "_lifetime" not in vars(self):  # in a traceback of __init__
            return f"<{type(self).__name__}>"
        state = "closed" if self._lifetime.closed else "open"
        return f"<{type(self).__name__} app_key={self.app_key!r} {state}>"

    def _request(self, path: str, grant_type: str, **credential: str) -> _TokenRequest:
        query = {
            "app_key": self.app_key,
            "app_secret": self._app_secret,
            "grant_type": grant_type,
            **credential,
        }
        return _TokenRequest(
            "GET",
            f"{self._base_url}{path}?{urlencode(query, quote_via=quote, safe='')}",
            headers={
                "accept": "application/json",
                "accept-encoding": "gzip, deflate",
                "user-agent": f"tiktok-shop-async/{__version__}",
            },
            extensions={"timeout": httpx.Timeout(self._timeout).as_dict()},
        )

    async def _call(self, request: _TokenRequest, operation: str, *, single_use: bool) -> Token:
        self._lifetime.check_usable()
        try:
            async with self._lifetime.slots:
                self._lifetime.check_open()  # it may have been closed meanwhile
                return await self._send_checked(request, operation, single_use=single_use)
        except TikTokShopError as caught:
            error = caught
        raise _bare(error)

    async def _send_checked(
        self, request: _TokenRequest, operation: str, *, single_use: bool
    ) -> Token:
        try:
            response = await self._send(request, operation)
        except (TransportError, ServiceUnavailableError, ResponseDecodeError) as error:
            if single_use and getattr(error, "maybe_sent", True):
                raise OutcomeUnknownError(
                    f"the code may or may not have been used: {error.message}",
                    operation=operation,
                    request_id=error.request_id,
                    http_status=error.http_status,
                    hint="Exchange it again: if it was used, the service rejects it and the user "
                    "must authorize the app again.",
                ) from error
            raise
        return _token_of(response, operation)

    async def _send(self, request: _TokenRequest, operation: str) -> Decoded[Any]:
        secrets = request.secrets  # not the values: tracebacks can show local variables
        with ErrorBoundary(
            operation,
            connect_errors_are_presend=self._connect_errors_are_presend,
            secrets=secrets(),
        ):
            response = await receive(await self._transport.handle_async_request(request), operation)
            context = ErrorContext(operation, secrets(), self._clock, quotable=False)
            return decode(response, None, context)


_SECRET_PARAMETERS = ("app_secret", "auth_code", "refresh_token")


class _TokenRequest(httpx.Request):
    """A request with secrets in its URL, which its repr does not show."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url.path}>"

    def secrets(self) -> Iterator[str]:
        """Yield the values to redact."""
        params = self.url.params
        return (params[name] for name in _SECRET_PARAMETERS if name in params)


def _checked(secret: Secret, argument: str) -> str:
    """Return a code or refresh token; reject one with a space, which was decoded twice."""
    value = secret.required(argument)
    if " " not in value:
        return value
    del value
    raise InvalidArgumentError(
        f"{argument} must not contain a space: a plus sign was probably decoded twice.",
        argument=argument,
    )


def _token_of(response: Decoded[Any], operation: str) -> Token:
    """Return the token of a successful response; reject one that is incomplete."""
    try:
        if not isinstance(response.data, dict):
            raise ValueError("the token is missing")
        return Token.from_document(response.data)
    except (ValueError, RecursionError) as error:
        problem = str(error) if type(error) is ValueError else "the token is not JSON"
    raise ResponseDecodeError(
        f"the service reported success, but {problem}.",
        operation=operation,
        request_id=response.request_id,
        hint="If this persists, ask the user to authorize the app again.",
    )


def _bare(error: TikTokShopError) -> TikTokShopError:
    """Return an error without frames and causes of httpx, which contain secrets."""
    cause = error.__cause__
    error.__cause__ = _bare(cause) if isinstance(cause, TikTokShopError) else None
    error.__context__ = None
    return error.with_traceback(None)
