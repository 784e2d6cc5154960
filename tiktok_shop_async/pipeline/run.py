"""The order of the stages that one call passes through."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from os import PathLike
from typing import Any, TypeVar

import attrs
import httpx

from .._version import __version__
from ..auth import AuthState
from ..options import Timeout
from ..response import APIResponse, FileResponse
from .attempts import Attempts
from .decoding import decode_data
from .envelope import open_envelope
from .request import Call, build_request, with_defaults
from .session import Session
from .signing import AppCredentials, SigningAuth
from .transport import receive, reports_faithfully, send, translated_errors

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

    # Neither of the two is a coroutine: a call that waits would hold one more frame.
    def run(self, call: Call, model: type[M] | None, auth: AuthState) -> Awaitable[APIResponse[M]]:
        """Send ``call`` and return its answer as a ``model``; without one, as plain values."""
        attempts = self._attempts(call, auth)
        return attempts.make(partial(self._attempt, attempts.call, attempts.version, auth, model))

    def download(
        self, call: Call, model: type[M], auth: AuthState, save_to: str | PathLike[str] | None
    ) -> Awaitable[FileResponse[M]]:
        """Send ``call``, whose answer is a file, and keep that in memory or in ``save_to``."""
        attempts = self._attempts(call, auth)
        return attempts.make(
            partial(self._attempt_download, call, attempts.version, auth, model, save_to)
        )

    def _attempts(self, call: Call, auth: AuthState) -> Attempts:
        self._session.check_usable()
        return Attempts(self._session, call.with_key(), self._version(call), auth)

    async def _attempt(
        self, call: Call, version: str, auth: AuthState, model: type[M] | None, number: int
    ) -> APIResponse[M]:
        operation = call.operation.id
        with ExitStack() as files, self._translated_errors(operation, auth):
            answer = await receive(await self._send(call, version, auth, files))
        success = open_envelope(answer, model, operation, self._secrets(auth), self._session.clock)
        data, issues = decode_data(model, success.data)
        return APIResponse(
            data=data,
            message=success.message,
            request_id=success.request_id,
            http_status=answer.status,
            headers=answer.headers,
            raw=answer.body,
            issues=issues,
            operation=operation,
            attempts=number,
        )

    async def _attempt_download(
        self,
        call: Call,
        version: str,
        auth: AuthState,
        model: type[M],
        save_to: str | PathLike[str] | None,
        number: int,
    ) -> FileResponse[M]:
        from .downloads import receive_file

        operation = call.operation
        with ExitStack() as files, self._translated_errors(operation.id, auth):
            response = await self._send(call, version, auth, files)
            try:
                file = await receive_file(
                    response, operation, model, save_to, self._secrets(auth), self._session.clock
                )
            finally:
                await response.aclose()
        return attrs.evolve(file, attempts=number)

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
            headers=(
                with_defaults(unsigned.headers, self._headers)
                if call.options.extra_headers
                else [*self._headers, *unsigned.headers]
            ),
            stream=unsigned.stream,
            extensions=self._timeout if timeout is None else _timeout_extension(timeout),
        )
        if isinstance(unsigned.body, bytes):
            request.read()  # so that transports and hooks can look at request.content
        else:
            await unsigned.body.check()
        return await send(self._session.http_client, request, signing)

    def _version(self, call: Call) -> str:
        operation = call.operation
        chosen = call.options.api_version or self._session.options.api_versions.get(operation.id)
        return operation.versions[-1] if chosen is None else operation.check_version(chosen)

    def _secrets(self, auth: AuthState) -> Iterator[str]:
        yield self._app.app_secret
        yield from auth.secrets()

    def _translated_errors(self, operation: str, auth: AuthState) -> AbstractContextManager[None]:
        secrets = self._secrets(auth)
        return translated_errors(operation, faithful=self._faithful, secrets=secrets)


def _timeout_extension(timeout: Timeout | None) -> dict[str, Any]:
    return {"timeout": httpx.Timeout(timeout).as_dict()}
