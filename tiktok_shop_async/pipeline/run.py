"""The pipeline of one call: the order in which its stages run.

`Pipeline.run` chooses version and idempotency key. `Attempts` decides when each attempt starts and
whether it is retried. `Pipeline._attempt` makes one: it builds, signs, sends, receives and decodes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextlib import ExitStack
from os import PathLike
from typing import Any, TypeVar

import httpx

from .._version import __version__
from ..options import Timeout
from ..protocol.envelope import Decoded, ErrorContext, decode
from ..response import APIResponse, FileResponse, RawResponse
from ..transport.delivery import DELIVERY, Delivery
from ..transport.error_boundary import ErrorBoundary
from ..transport.receiving import MAX_INLINE_BYTES, receive, run_off_loop
from ..transport.sending import connect_errors_are_presend, send
from .arguments.headers import merge_headers
from .attempts import Attempts
from .call import Call, PreparedCall
from .credentials import Credentials
from .request import UnsignedRequest, build_request
from .session import Session
from .signing import APIRequest, AppCredentials, AttemptSecrets, SigningAuth

M = TypeVar("M")


class Pipeline:
    """The path of a session's calls, from their arguments to their responses."""

    def __init__(self, session: Session) -> None:
        options = session.options
        self._session = session
        self._app = AppCredentials(app_key=options.app_key, app_secret=options.app_secret)
        self._connect_errors_are_presend = connect_errors_are_presend(session.http_client)
        self._timeout = _timeout_extension(options.timeout)
        self._base_url = httpx.URL(options.base_url)
        self._headers = (
            (b"host", self._base_url.netloc),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"user-agent", f"tiktok-shop-async/{__version__}".encode()),
        )

    # Not a coroutine, because a waiting call would hold one more frame.
    def run(
        self, call: Call, model: type[M] | None, credentials: Credentials
    ) -> Awaitable[APIResponse[M]]:
        """Return an awaitable of the response, its data a ``model`` or, without one, plain values.

        `ClientClosedError` and errors of version and idempotency key are raised immediately.
        """
        self._session.check_usable()
        prepared = PreparedCall(call.with_key(), self._choose_version(call), model, credentials)
        return Attempts(self._session, prepared).run(self._attempt)

    async def download(
        self,
        call: Call,
        model: type[M],
        credentials: Credentials,
        save_to: str | PathLike[str] | None,
    ) -> FileResponse[M]:
        """Send ``call``, and return its file in memory or saved to the path ``save_to``."""
        from .downloads import extract_file, parse_save_path

        path = parse_save_path(save_to)
        response = await self.run(call, model, credentials)
        return await extract_file(response, call.operation.download or "", path)

    async def _attempt(
        self, prepared: PreparedCall[M], number: int, delivery: Delivery
    ) -> APIResponse[M]:
        """Make one attempt; return its response, or raise the error that its end means."""
        operation = prepared.call.operation.id
        secrets = AttemptSecrets(self._app, prepared.credentials)
        with ErrorBoundary(
            operation,
            connect_errors_are_presend=self._connect_errors_are_presend,
            secrets=secrets,
            delivery=delivery,
        ):
            with ExitStack() as files:
                response = await receive(
                    await self._send(prepared, files, secrets, delivery),
                    operation,
                    self._session.options.max_response_bytes,
                )
            context = ErrorContext(operation, secrets, self._session.clock)
            if len(response.body) > MAX_INLINE_BYTES:
                decoded = await run_off_loop(decode, response, prepared.model, context)
            else:
                decoded = decode(response, prepared.model, context)
        return _api_response(response, decoded, operation, attempts=number)

    async def _send(
        self,
        prepared: PreparedCall[Any],
        files: ExitStack,
        secrets: AttemptSecrets,
        delivery: Delivery,
    ) -> httpx.Response:
        """Build, sign and send the request; return its response, whose body is not read yet."""
        call = prepared.call
        unsigned = build_request(call, prepared.version, files)
        request = secrets.request = self._http_request(call, unsigned, delivery)
        if isinstance(unsigned.body, bytes):
            request.read()  # so that transports and hooks can read request.content
        else:
            await unsigned.body.check()
        signing = SigningAuth(
            base_url=self._base_url,
            unsigned=unsigned,
            operation=call.operation,
            app=self._app,
            credentials=prepared.credentials,
            clock=self._session.clock,
        )
        return await send(self._session.http_client, request, signing, call.options.before_sending)

    def _http_request(
        self, call: Call, unsigned: UnsignedRequest, delivery: Delivery
    ) -> APIRequest:
        """Return the request as httpx sends it; `SigningAuth` sets its URL and token."""
        return APIRequest(
            unsigned.method,
            self._base_url,  # a placeholder until signing sets the URL; parsing one is slow
            headers=(
                merge_headers(unsigned.headers, self._headers)
                if call.options.extra_headers
                else [*self._headers, *unsigned.headers]
            ),
            stream=unsigned.stream,
            extensions={**self._timeout_extension(call), DELIVERY: delivery},
        )

    def _choose_version(self, call: Call) -> str:
        operation = call.operation
        chosen = call.options.api_version or self._session.options.api_versions.get(operation.id)
        return operation.versions[-1] if chosen is None else operation.check_version(chosen)

    def _timeout_extension(self, call: Call) -> Mapping[str, Any]:
        timeout = call.options.timeout
        if timeout is not None:
            return _timeout_extension(timeout)
        if self._session.options.follows_http_client:
            return _timeout_extension(self._session.http_client.timeout)
        return self._timeout


def _api_response(
    response: RawResponse, decoded: Decoded[M], operation: str, *, attempts: int
) -> APIResponse[M]:
    return APIResponse(
        data=decoded.data,
        message=decoded.message,
        request_id=decoded.request_id,
        http_status=response.status,
        headers=response.headers,
        raw=response.body,
        issues=decoded.issues,
        operation=operation,
        attempts=attempts,
    )


def _timeout_extension(timeout: Timeout | None) -> dict[str, Any]:
    return {"timeout": httpx.Timeout(timeout).as_dict()}
