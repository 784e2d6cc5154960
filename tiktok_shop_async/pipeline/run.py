"""The order of the stages that one call passes through."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextlib import ExitStack
from functools import partial
from os import PathLike
from typing import Any, TypeVar

import httpx

from .._version import __version__
from ..auth import AuthState
from ..options import Timeout
from ..protocol.decoding import decode_data
from ..protocol.envelope import open_envelope
from ..response import APIResponse, FileResponse
from ..transport.delivery import DELIVERY, Delivery
from ..transport.receiving import MAX_INLINE_BYTES, RawResponse, off_the_loop, receive
from ..transport.sending import ErrorBoundary, reports_faithfully, send
from .attempts import Attempts
from .request import Call, build_request, with_defaults
from .session import Session
from .signing import APIRequest, AppCredentials, AttemptSecrets, SigningAuth

M = TypeVar("M")


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

    # Not a coroutine: a waiting call would hold one more frame.
    def run(self, call: Call, model: type[M] | None, auth: AuthState) -> Awaitable[APIResponse[M]]:
        """Send ``call`` and return its response, with data as a ``model`` or as plain values."""
        attempts = self._attempts(call, auth)
        return attempts.make(partial(self._attempt, attempts.call, attempts.version, auth, model))

    async def download(
        self, call: Call, model: type[M], auth: AuthState, save_to: str | PathLike[str] | None
    ) -> FileResponse[M]:
        """Send ``call``, whose response has a file; keep the file in memory or in ``save_to``."""
        from .downloads import check_path, file_of

        path = check_path(save_to)
        response = await self.run(call, model, auth)
        return await file_of(response, call.operation.download or "", path)

    def _attempts(self, call: Call, auth: AuthState) -> Attempts:
        self._session.check_usable()
        return Attempts(self._session, call.with_key(), self._version(call), auth)

    async def _attempt(
        self,
        call: Call,
        version: str,
        auth: AuthState,
        model: type[M] | None,
        number: int,
        delivery: Delivery,
    ) -> APIResponse[M]:
        operation = call.operation.id
        secrets = AttemptSecrets(self._app, auth)
        with self._boundary(operation, secrets, delivery):
            with ExitStack() as files:
                response = await receive(
                    await self._send(call, version, auth, files, secrets, delivery),
                    operation,
                    self._session.options.max_response_bytes,
                )
            if len(response.body) > MAX_INLINE_BYTES:
                return await off_the_loop(self._read, response, operation, model, secrets, number)
            return self._read(response, operation, model, secrets, number)

    def _read(
        self,
        response: RawResponse,
        operation: str,
        model: type[M] | None,
        secrets: AttemptSecrets,
        number: int,
    ) -> APIResponse[M]:
        success = open_envelope(response, model, operation, secrets, self._session.clock)
        data, issues = decode_data(model, success.data)
        return APIResponse(
            data=data,
            message=success.message,
            request_id=success.request_id,
            http_status=response.status,
            headers=response.headers,
            raw=response.body,
            issues=issues,
            operation=operation,
            attempts=number,
        )

    async def _send(
        self,
        call: Call,
        version: str,
        auth: AuthState,
        files: ExitStack,
        secrets: AttemptSecrets,
        delivery: Delivery,
    ) -> httpx.Response:
        """Build, sign and send a request; the response's body is not read yet."""
        unsigned = build_request(call, version, files)
        signing = SigningAuth(
            base_url=self._base_url,
            unsigned=unsigned,
            operation=call.operation,
            app=self._app,
            auth=auth,
            clock=self._session.clock,
        )
        request = APIRequest(
            unsigned.method,
            self._base_url,  # a placeholder until signing sets the URL; parsing one is slow
            headers=(
                with_defaults(unsigned.headers, self._headers)
                if call.options.extra_headers
                else [*self._headers, *unsigned.headers]
            ),
            stream=unsigned.stream,
            extensions={**self._timeout_of(call), DELIVERY: delivery},
        )
        secrets.request = request
        if isinstance(unsigned.body, bytes):
            request.read()  # so that transports and hooks can look at request.content
        else:
            await unsigned.body.check()
        return await send(self._session.http_client, request, signing, call.options.before_sending)

    def _version(self, call: Call) -> str:
        operation = call.operation
        chosen = call.options.api_version or self._session.options.api_versions.get(operation.id)
        return operation.versions[-1] if chosen is None else operation.check_version(chosen)

    def _boundary(
        self, operation: str, secrets: AttemptSecrets, delivery: Delivery
    ) -> ErrorBoundary:
        return ErrorBoundary(operation, faithful=self._faithful, secrets=secrets, delivery=delivery)

    def _timeout_of(self, call: Call) -> Mapping[str, Any]:
        timeout = call.options.timeout
        if timeout is not None:
            return _timeout_extension(timeout)
        if self._session.options.follows_http_client:
            return _timeout_extension(self._session.http_client.timeout)
        return self._timeout


def _timeout_extension(timeout: Timeout | None) -> dict[str, Any]:
    return {"timeout": httpx.Timeout(timeout).as_dict()}
