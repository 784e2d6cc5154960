"""Tokens from the service: authorize pages, codes, refreshes."""

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
from ..transport.connection_stack import ConnectionStackTransport
from ..transport.environment import check_certificate_files, check_network_settings
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
"""Role and region -> where the authorize page is (``authorization-overview-202407``)."""


class TikTokShopOAuth(ClosedOnExit, Unpicklable):
    """Sends users to the authorize pages, and takes their codes and refresh tokens to the service.

    The platform wants secrets in the URLs of its token calls. So these go straight to the
    transport, past httpx's log of URLs, and their errors keep nothing of what was sent or answered.
    Use it as an async context manager, or call `aclose` when done.
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
        """Make it; nothing is connected before the first exchange or refresh.

        Args:
            service_id: Names the app on the pages of sellers and partners; see Partner Center.
            base_url: In place of all of the platform's hosts: a sandbox.
            transport: Sends in place of our connections; closed with this. One that logs URLs logs
                secrets.
            timeout: Seconds for each of connecting, sending and waiting for bytes; None for ever.
            proxy: As httpx takes it; without one, the environment's proxies are honoured.
            verify: False switches certificate checks off.
            trust_env: Whether proxies and certificates from the environment count.
            clock: A `Clock`, or a function that returns Unix seconds.
        """
        secret = Secret(app_secret)
        del app_secret  # tracebacks can show local variables
        if transport is not None and proxy is not None:
            raise InvalidArgumentError(
                "transport is given together with a proxy, which it replaces.", argument="transport"
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
            if self._base_url.startswith("https:"):
                check_certificate_files(verify, trust_env)
            transport = ConnectionStackTransport(proxy=proxy, verify=verify, trust_env=trust_env)
        self._transport = transport
        http_client = httpx.AsyncClient(transport=self._transport)
        self._connect_errors_are_presend = connect_errors_are_presend(http_client)
        self._lifetime = Lifetime(http_client, MAX_IN_FLIGHT)

    def authorization_url(
        self, role: Role = "seller", region: Region = "us", state: str | None = None
    ) -> str:
        """Return the page where a user authorizes the app.

        Args:
            region: Of the seller or partner: ``"us"``, or ``"row"`` for all the rest of the world.
            state: Comes back with the answer, and tells it from one that somebody else began; see
                `StateSigner`. A creator's page needs one.
        """
        if (role, region) not in AUTHORIZE_HOSTS:
            is_role = role in ("seller", "partner", "creator")
            wrong, value = ("region", region) if is_role else ("role", role)
            raise InvalidArgumentError(
                f"{wrong} must be one that the platform has, not {value!r:.50}.",
                argument=wrong,
                hint="Roles are seller, partner and creator; regions are us and row.",
            )
        host = self._authorize_host or AUTHORIZE_HOSTS[role, region]
        if role == "creator":
            if not state:
                raise InvalidArgumentError(
                    "a creator's authorize page needs a state.", argument="state"
                )
            page, query = "/alliance/creator/auth", {"app_key": self.app_key}
        else:
            if not self.service_id:
                raise InvalidArgumentError(
                    "the authorize pages of sellers and partners need the app's service_id.",
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
        """Return the token for the code that an authorize page led back with.

        A code works once, for half an hour. `ReauthorizationRequiredError` if it does not any more;
        `OutcomeUnknownError` if that cannot be known, since the answer was lost.
        """
        secret = Secret(code)
        del code  # tracebacks can show local variables
        request = self._request(
            "/api/v2/token/get", "authorized_code", auth_code=_checked(secret, "code")
        )
        return await self._token(request, "oauth.exchange", works_once=True)

    async def refresh(self, refresh_token: str) -> Token:
        """Return the token that replaces the one with this refresh token.

        `Authorizations` does this in time, and once for all tasks and processes.
        `ReauthorizationRequiredError` if only the user can renew the authorization.
        """
        secret = Secret(refresh_token)
        del refresh_token
        request = self._request(
            "/api/v2/token/refresh",
            "refresh_token",
            refresh_token=_checked(secret, "refresh_token"),
        )
        return await self._token(request, "oauth.refresh", works_once=False)

    async def aclose(self) -> None:
        """Close the connections; calls are refused from then on."""
        self._lifetime.close()
        await self._lifetime.close_connections()

    async def __aenter__(self) -> Self:
        self._lifetime.check_usable()
        return self

    def __del__(self) -> None:
        lifetime: Lifetime | None = vars(self).get("_lifetime")  # none if __init__ raised
        if lifetime is not None and lifetime.is_left_open:
            warn_unclosed(self)

    def __repr__(self) -> str:
        if "_lifetime" not in vars(self):  # as tracebacks see one with a rejected argument
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

    async def _token(self, request: _TokenRequest, operation: str, *, works_once: bool) -> Token:
        self._lifetime.check_usable()
        try:
            async with self._lifetime.slots:
                self._lifetime.check_open()  # it may have been closed meanwhile
                return await self._received(request, operation, works_once=works_once)
        except TikTokShopError as caught:
            error = caught
        raise _bare(error)

    async def _received(self, request: _TokenRequest, operation: str, *, works_once: bool) -> Token:
        try:
            response = await self._send(request, operation)
        except (TransportError, ServiceUnavailableError, ResponseDecodeError) as error:
            if works_once and getattr(error, "maybe_sent", True):
                raise OutcomeUnknownError(
                    f"the code may or may not have been used: {error.message}",
                    operation=operation,
                    request_id=error.request_id,
                    http_status=error.http_status,
                    hint="Exchange it once more: if it was used, that is refused and the user has "
                    "to authorize again.",
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
    """A request with secrets in its URL."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url.path}>"

    def secrets(self) -> Iterator[str]:
        """Yield the values that must not be shown."""
        params = self.url.params
        return (params[name] for name in _SECRET_PARAMETERS if name in params)


def _checked(secret: Secret, argument: str) -> str:
    """Return a code or refresh token; with a space it was cut, or decoded once too often."""
    value = secret.required(argument)
    if " " not in value:
        return value
    del value
    raise InvalidArgumentError(
        f"the {argument} must not contain a space: a plus sign was probably decoded twice.",
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
        f"the service answered with success, but {problem}.",
        operation=operation,
        request_id=response.request_id,
        hint="Have the user authorize again if this lasts.",
    )


def _bare(error: TikTokShopError) -> TikTokShopError:
    """Return an error without what it came from: frames and httpx's exceptions hold secrets."""
    cause = error.__cause__
    error.__cause__ = _bare(cause) if isinstance(cause, TikTokShopError) else None
    error.__context__ = None
    return error.with_traceback(None)
