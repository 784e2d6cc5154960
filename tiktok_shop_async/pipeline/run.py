"""The order of the stages that one call passes through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from .._version import __version__
from ..auth import AuthState
from ..errors import (
    AccessTokenExpiredError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ReauthorizationRequiredError,
    ResponseDecodeError,
    ServiceUnavailableError,
    TikTokAPIError,
    TikTokShopError,
    TransportError,
)
from ..options import Timeout
from ..response import APIResponse, FileResponse
from .decoding import decode_data
from .envelope import Success, open_envelope
from .operation import Operation
from .request import Call, build_request
from .session import Session
from .signing import AppCredentials, SigningAuth
from .transport import Answer, receive, reports_faithfully, send, translated_errors

if TYPE_CHECKING:
    from ..auth.authorization import Authorization

M = TypeVar("M")
T = TypeVar("T")


class Pipeline:
    """Sends the calls of a session."""

    def __init__(self, session: Session) -> None:
        options = session.options
        self._session = session
        self._app = AppCredentials(app_key=options.app_key, app_secret=options.app_secret)
        self._faithful = reports_faithfully(session.http_client)
        self._timeout = _timeout_extension(options.timeout)
        self._base_url = httpx.URL(options.base_url)
        self._headers = (
            (b"host", self._base_url.netloc),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"user-agent", f"tiktok-shop-async/{__version__}".encode()),
        )

    async def run(self, call: Call, model: type[M] | None, auth: AuthState) -> APIResponse[M]:
        """Send ``call`` and return its answer as a ``model``; without one, as plain values."""
        version = await self._begin(call, auth)
        operation = call.operation

        async def attempt() -> tuple[Answer, Success]:
            with ExitStack() as files, self._translated_errors(operation):
                answer = await receive(await self._send(call, version, auth, files))
            return answer, open_envelope(
                answer, model, operation.id, self._secrets(auth), self._session.clock
            )

        try:
            # Bounded before anything is encoded or signed: a waiting call holds its arguments only.
            async with self._session.slots:
                answer, success = await _attempts(attempt, call, auth)
        except (TransportError, ServiceUnavailableError, ResponseDecodeError) as error:
            _raise_if_outcome_unknown(operation, error)
            raise
        data, issues = decode_data(model, success.data)
        return APIResponse(
            data=data,
            message=success.message,
            request_id=success.request_id,
            http_status=answer.status,
            headers=answer.headers,
            raw=answer.body,
            issues=issues,
            operation=operation.id,
        )

    async def download(
        self, call: Call, model: type[M], auth: AuthState, save_to: str | PathLike[str] | None
    ) -> FileResponse[M]:
        """Send ``call``, whose answer is a file, and keep that in memory or in ``save_to``."""
        from .downloads import receive_file

        version = await self._begin(call, auth)
        operation = call.operation

        async def attempt() -> FileResponse[M]:
            with ExitStack() as files, self._translated_errors(operation):
                response = await self._send(call, version, auth, files)
                try:
                    return await receive_file(
                        response,
                        operation,
                        model,
                        save_to,
                        self._secrets(auth),
                        self._session.clock,
                    )
                finally:
                    await response.aclose()

        async with self._session.slots:
            return await _attempts(attempt, call, auth)

    async def _begin(self, call: Call, auth: AuthState) -> str:
        """Have what a call needs before its slot, and return its version."""
        self._session.check_usable()
        version, operation = self._version(call), call.operation
        if not auth.is_ready(operation.cipher):
            with _named(operation):  # finding a cipher may be a call, with a slot of its own
                await auth.prepare(operation.cipher)
        return version

    async def _send(
        self, call: Call, version: str, auth: AuthState, files: ExitStack
    ) -> httpx.Response:
        """Make one attempt: build, sign, send; the answer's body is still to come."""
        unsigned = build_request(call, version, files)
        signing = SigningAuth(
            base_url=self._base_url,
            unsigned=unsigned,
            operation=call.operation,
            app=self._app,
            auth=auth,
            clock=self._session.clock,
        )
        timeout = call.options.timeout
        request = httpx.Request(
            unsigned.method,
            self._base_url,  # a stand-in: signing sets the real one, and parsing a URL is not cheap
            headers=[*self._headers, *unsigned.headers],
            stream=unsigned.stream,
            extensions=self._timeout if timeout is None else _timeout_extension(timeout),
        )
        if isinstance(unsigned.body, bytes):
            request.read()  # so that transports and hooks can look at request.content
        return await send(self._session.http_client, request, signing)

    def _version(self, call: Call) -> str:
        operation = call.operation
        chosen = call.options.api_version or self._session.options.api_versions.get(operation.id)
        return operation.versions[-1] if chosen is None else operation.check_version(chosen)

    def _secrets(self, auth: AuthState) -> Iterator[str]:
        yield self._app.app_secret
        yield from auth.secrets()

    def _translated_errors(self, operation: Operation) -> AbstractContextManager[None]:
        return translated_errors(operation.id, faithful=self._faithful)


def _attempts(attempt: Callable[[], Awaitable[T]], call: Call, auth: AuthState) -> Awaitable[T]:
    """Make one attempt; two at most, if the token can be replaced in between."""
    authorization = auth.authorization
    if authorization is None:
        return attempt()
    return _with_fresh_token(attempt, call, authorization)


async def _with_fresh_token(
    attempt: Callable[[], Awaitable[T]], call: Call, authorization: Authorization
) -> T:
    """Make an attempt, and one more if the service refused the token and there is another."""
    used = authorization.token  # an attempt signs as soon as it begins
    try:
        return await attempt()
    except TikTokAPIError as error:
        if used is None:
            raise
        with _named(call.operation):
            if isinstance(error, AccessTokenExpiredError):
                await authorization.replace(used)
            elif _is_about_the_token(error):
                await authorization.look_again(used)
        if not call.repeatable or authorization.token == used:
            raise
    return await attempt()


def _is_about_the_token(error: TikTokAPIError) -> bool:
    """Whether a refusal may mean that the authorization is another by now, or none.

    No document says which code a withdrawn token gets; asking the store once too often is cheap.
    """
    kinds = (PermissionDeniedError, ReauthorizationRequiredError)
    return isinstance(error, kinds) or error.http_status in (401, 403)


@contextmanager
def _named(operation: Operation) -> Iterator[None]:
    """Have errors of an authorization name the operation that met them."""
    try:
        yield
    except TikTokShopError as error:
        error.operation = error.operation or operation.id
        raise


def _timeout_extension(timeout: Timeout | None) -> dict[str, Any]:
    return {"timeout": httpx.Timeout(timeout).as_dict()}


def _raise_if_outcome_unknown(
    operation: Operation, error: TransportError | ServiceUnavailableError | ResponseDecodeError
) -> None:
    """Raise `OutcomeUnknownError` for a write that the service may have carried out."""
    if operation.effect == "read" or not getattr(error, "maybe_sent", True):
        return
    raise OutcomeUnknownError(
        f"the call may or may not have taken effect: {error.message}",
        operation=operation.id,
        request_id=error.request_id,
        http_status=error.http_status,
        hint=_WHAT_TO_CHECK.get(
            operation.id, "Read back what the call should have changed before you repeat it."
        ),
    ) from error


_WHAT_TO_CHECK = {
    "return_refund.cancel_order": (
        "Look at the order's status (order.get_order_detail) and its cancellations "
        "(return_refund.search_cancellations by order id) before you repeat it."
    )
}
