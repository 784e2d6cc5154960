"""Server of a mocked shop: accepts requests of its operations, and returns stub responses."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import lru_cache

import attrs
import httpx

from ...client_options import DEFAULT_BASE_URL
from ...errors import TikTokShopError
from ...pipeline.operation import Operation
from ...registry import find_operation, find_operation_at, find_version
from ...transport.delivery import DELIVERY, delivery_of
from .call_arguments import MalformedRequestError, read_arguments
from .call_log import MockCall
from .mock_operation import MockOperation
from .request_checks import (
    UnexpectedRequestError,
    check_ciphers,
    check_signature,
    check_token,
    malformed_error,
)


class MatchLevel(IntEnum):
    """How well a request matches a shop; the shop with the best match serves it."""

    OTHER_ADDRESS = 0
    UNKNOWN_OPERATION = 1
    NOT_MOCKED = 2
    WRONG_SIGNATURE = 3
    """The request may belong to another app, whose shop is mocked too."""
    FULL = 4


@attrs.define(kw_only=True, eq=False)
class OperationServer:
    """Serves the requests of one shop from the stubs of its operations."""

    app_secret: str = attrs.field(repr=False)
    base_url: httpx.URL | None
    check_requests: bool
    check_responses: bool
    in_block: bool = False
    operations: dict[str, MockOperation] = attrs.field(init=False, factory=dict)
    """The operations that a test accessed or called, by id."""
    unexpected: list[UnexpectedRequestError] = attrs.field(init=False, factory=list)

    def operation(self, operation_id: str) -> MockOperation:
        """Return the mocked operation of an id; raise `InvalidArgumentError` for an unknown one."""
        if operation_id not in self.operations:
            self.operations[operation_id] = MockOperation(
                find_operation(operation_id),
                check_fields=self.check_responses,
                in_block=self.in_block,
            )
        return self.operations[operation_id]

    def enter_block(self) -> None:
        """Begin without calls, and with the stubs that were set outside of a block."""
        self.in_block = True
        self.unexpected.clear()
        for mocked in self.operations.values():
            mocked.enter_block()

    def leave_block(self) -> None:
        """Keep stubs that are set from now on for later blocks."""
        self.in_block = False
        for mocked in self.operations.values():
            mocked.leave_block()

    def reset(self) -> None:
        """Remove all stubs and calls."""
        self.unexpected.clear()
        for mocked in self.operations.values():
            mocked.reset()

    def uncalled(self) -> list[str]:
        """Return the ids of operations that are mocked and were never called."""
        return [
            operation_id
            for operation_id, mocked in self.operations.items()
            if mocked.is_mocked and not mocked.called
        ]

    def match(self, request: httpx.Request) -> MatchLevel:
        """Return how well a request matches; its body must have been read."""
        if not self._has_address_of(request):
            return MatchLevel.OTHER_ADDRESS
        called = self._operation_of(request)
        if called is None:
            return MatchLevel.UNKNOWN_OPERATION
        if not self.operation(called.id).is_mocked:
            return MatchLevel.NOT_MOCKED
        if self.check_requests:
            try:
                self._check_signature(called, request)
            except UnexpectedRequestError:
                return MatchLevel.WRONG_SIGNATURE
        return MatchLevel.FULL

    def is_mocked(self, request: httpx.Request) -> bool:
        """Return whether a request is for a mocked operation, whatever its address."""
        called = self._operation_of(request)
        return called is not None and self.operation(called.id).is_mocked

    def serve(self, request: httpx.Request) -> httpx.Response:
        """Return the response for a synchronous client, or raise an error of the test."""
        with self._handle_errors(request):
            mocked, call = self._receive(request)
            return mocked.build_response(mocked.next_response(call))

    async def serve_async(self, request: httpx.Request) -> httpx.Response:
        """Return the response for an asynchronous client, or raise an error of the test."""
        with self._handle_errors(request):
            mocked, call = self._receive(request)
            response = mocked.next_response(call)
            if inspect.isawaitable(response):
                response = await response
            if isinstance(response, httpx.Response) and _is_async_stream(response):
                await response.aread()
            return mocked.build_response(response)

    @contextmanager
    def _handle_errors(self, request: httpx.Request) -> Iterator[None]:
        try:
            yield
        except UnexpectedRequestError as error:
            self.unexpected.append(error)
            raise
        except (httpx.HTTPError, TikTokShopError):
            raise  # a stub response
        except Exception:
            # An error of the test must surface unchanged, not as an unknown outcome of a write.
            delivery_of(request).maybe_sent = False
            raise

    def _receive(self, request: httpx.Request) -> tuple[MockOperation, MockCall]:
        called = self._operation_of(request)
        if called is None:
            raise UnexpectedRequestError(
                f"{request.method} {request.url.path} is not an operation of the API in any "
                "version: add a route to mock.router for other requests."
            )
        mocked = self.operation(called.id)
        if not mocked.is_mocked:
            raise UnexpectedRequestError(
                f"{called.id} was called, but is not mocked: call mock.{called.id}.respond(...)"
            )
        problem: MalformedRequestError | None = None
        try:
            arguments = read_arguments(called, request)
        except MalformedRequestError as error:
            problem, arguments = error, read_arguments(called, request, strict=False)
        version = find_version(self._path(request))
        call = MockCall(arguments=arguments, version=version, request=request)
        mocked.calls.append(call)
        if self.check_requests:
            self._check(called, request, problem)
        return mocked, call

    def _check(
        self, called: Operation, request: httpx.Request, problem: MalformedRequestError | None
    ) -> None:
        """Raise the first error that the service would return, in the sandbox's order."""
        check_token(called, request)
        self._check_signature(called, request)
        check_ciphers(called, request)
        if problem is not None:
            raise malformed_error(called, problem) from problem

    def _check_signature(self, called: Operation, request: httpx.Request) -> None:
        check_signature(called, request, path=self._path(request), app_secret=self.app_secret)

    def _operation_of(self, request: httpx.Request) -> Operation | None:
        return find_operation_at(request.method, self._path(request))

    def _path(self, request: httpx.Request) -> str:
        """Return the path below the base URL, which clients of this SDK can set."""
        path = request.url.path
        if self.base_url is not None:
            return path.removeprefix(self.base_url.path.rstrip("/"))
        return _path_of_operation(request.method, path) if DELIVERY in request.extensions else path

    def _has_address_of(self, request: httpx.Request) -> bool:
        if self.base_url is None:
            return DELIVERY in request.extensions or request.url.host == _DEFAULT_HOST
        prefix = self.base_url.path.rstrip("/") + "/"
        return _origin(request.url) == _origin(self.base_url) and request.url.path.startswith(
            prefix
        )


_DEFAULT_HOST = httpx.URL(DEFAULT_BASE_URL).host


def _is_async_stream(response: httpx.Response) -> bool:
    return isinstance(response.stream, httpx.AsyncByteStream)


@lru_cache(maxsize=256)
def _path_of_operation(method: str, path: str) -> str:
    """Return the suffix of ``path`` that is an operation's path, or all of it if none is."""
    suffixes = (path[at:] for at, character in enumerate(path) if character == "/")
    return next((suffix for suffix in suffixes if find_operation_at(method, suffix)), path)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
