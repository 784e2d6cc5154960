"""The operations of a mocked shop: which requests it takes, and what it responds."""

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
from .mock_operation import MockCall, MockOperation, UnexpectedRequestError
from .request_checks import check_ciphers, check_signature, check_token, malformed


class Fit(IntEnum):
    """How far a request fits a shop; the shop that it fits best serves it."""

    OTHER_ADDRESS = 0
    UNKNOWN_OPERATION = 1
    NOT_MOCKED = 2
    WRONG_SIGNATURE = 3
    """It may be of another app, whose shop is mocked too."""
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
    """The operations that a test asked for or called, by id."""
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
        """Keep stubs that are set from now on for the blocks to come."""
        self.in_block = False
        for mocked in self.operations.values():
            mocked.leave_block()

    def reset(self) -> None:
        """Remove all stubs and calls."""
        self.unexpected.clear()
        for mocked in self.operations.values():
            mocked.reset()

    def idle(self) -> list[str]:
        """Return the ids of operations that are mocked and were never called."""
        return [
            operation_id
            for operation_id, mocked in self.operations.items()
            if mocked.is_mocked and not mocked.called
        ]

    def fit(self, request: httpx.Request) -> Fit:
        """Return how far a request fits; its body must have been read."""
        if not self._is_address_of(request):
            return Fit.OTHER_ADDRESS
        called = self._called(request)
        if called is None:
            return Fit.UNKNOWN_OPERATION
        if not self.operation(called.id).is_mocked:
            return Fit.NOT_MOCKED
        if self.check_requests:
            try:
                self._check_signature(called, request)
            except UnexpectedRequestError:
                return Fit.WRONG_SIGNATURE
        return Fit.FULL

    def is_mocked(self, request: httpx.Request) -> bool:
        """Return whether a request is for a mocked operation, whatever its address."""
        called = self._called(request)
        return called is not None and self.operation(called.id).is_mocked

    def serve(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request of a synchronous client, or raise why not."""
        with self._recording(request):
            mocked, call = self._received(request)
            return mocked.response_of(mocked.next_answer(call))

    async def serve_async(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request, or raise why not."""
        with self._recording(request):
            mocked, call = self._received(request)
            answer = mocked.next_answer(call)
            if inspect.isawaitable(answer):
                answer = await answer
            if isinstance(answer, httpx.Response) and _is_async_stream(answer):
                await answer.aread()
            return mocked.response_of(answer)

    @contextmanager
    def _recording(self, request: httpx.Request) -> Iterator[None]:
        try:
            yield
        except UnexpectedRequestError as error:
            self.unexpected.append(error)
            raise
        except (httpx.HTTPError, TikTokShopError):
            raise  # the stub of the test
        except Exception:
            # A mistake of the test, to be shown as it is: no write was processed.
            delivery_of(request).maybe_sent = False
            raise

    def _received(self, request: httpx.Request) -> tuple[MockOperation, MockCall]:
        called = self._called(request)
        if called is None:
            raise UnexpectedRequestError(
                f"{request.method} {request.url.path} is no operation of the API, in no version: "
                "mock.router takes routes for what else is called."
            )
        mocked = self.operation(called.id)
        if not mocked.is_mocked:
            raise UnexpectedRequestError(
                f"{called.id} was called, and is not mocked: mock.{called.id}.respond(...)"
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
            raise malformed(called, problem) from problem

    def _check_signature(self, called: Operation, request: httpx.Request) -> None:
        check_signature(called, request, path=self._path(request), app_secret=self.app_secret)

    def _called(self, request: httpx.Request) -> Operation | None:
        return find_operation_at(request.method, self._path(request))

    def _path(self, request: httpx.Request) -> str:
        """Return the path below the base URL, which clients of this SDK can have set."""
        path = request.url.path
        if self.base_url is not None:
            return path.removeprefix(self.base_url.path.rstrip("/"))
        return _path_of_operation(request.method, path) if DELIVERY in request.extensions else path

    def _is_address_of(self, request: httpx.Request) -> bool:
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
    """Return the end of ``path`` that is of an operation; all of it if no end is."""
    ends = (path[at:] for at, character in enumerate(path) if character == "/")
    return next((end for end in ends if find_operation_at(method, end)), path)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
