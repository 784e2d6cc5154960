"""Mocked operation: its stub responses, and the calls that it received."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from operator import getitem
from typing import Any

import attrs
import httpx

from ...errors import InvalidArgumentError
from ...pipeline.operation import Operation
from ..example_models import example_response
from ..response_fields import check_fields
from .call_log import CallLog, MockCall
from .request_checks import UnexpectedRequestError
from .stub import (
    EXHAUSTED,
    REQUEST_ID,
    ResponseHead,
    Stub,
    StubResponse,
    copy_response,
    is_integer,
)

_ENVELOPE_FIELDS = {"code", "message", "data"}
_UNKNOWN_FIELDS_HINT = (
    "For an intended field, pass unknown_fields=True to respond(), or check_responses=False to "
    "MockTikTokShop."
)


class MockOperation(CallLog):
    """Responds to the calls of one operation, and records them."""

    __slots__ = ("_checks_fields", "_in_block", "_lasting", "_stub")

    def __init__(
        self, operation: Operation, *, check_fields: bool = True, in_block: bool = False
    ) -> None:
        super().__init__(operation)
        self._checks_fields = check_fields
        self._in_block = in_block
        self._stub: Stub | None = None
        self._lasting: Stub | None = None
        """The stub that was set outside of a block; each block begins with it."""

    def __repr__(self) -> str:
        return f"<MockOperation {self._operation.id}, called {len(self.calls)} times>"

    def enter_block(self) -> None:
        """Begin without calls, and with the responses that were set outside of a block."""
        self._in_block = True
        self._stub = self._lasting
        if self._stub is not None:
            self._stub.restart()
        self.calls.clear()

    def leave_block(self) -> None:
        """Keep responses that are set from now on for later blocks."""
        self._in_block = False

    def reset(self) -> None:
        """Remove all responses and calls."""
        self._stub = self._lasting = None
        self.calls.clear()

    @property
    def is_mocked(self) -> bool:
        """Whether a response was set."""
        return self._stub is not None

    def respond(
        self,
        data: Any = None,
        *,
        unknown_fields: bool = False,
        http_status: int = 200,
        request_id: str = REQUEST_ID,
        headers: Mapping[str, str] | None = None,
    ) -> MockOperation:
        """Respond with success; without ``data`` (a model or a mapping), with a full example.

        The example is of the called version. An example of a paged operation is its only page.

        Args:
            data: The data of the response, by the names of the fields in the API.
            unknown_fields: Whether ``data`` may have fields that the catalogue lacks, as recorded
                responses do. Otherwise such a field is a `TypeError`, since it may be misspelt.
            http_status: The status of the response.
            request_id: The request id of the response.
            headers: More headers of the response.
        """
        head = ResponseHead(http_status=http_status, request_id=request_id, headers=headers)
        if data is None:
            return self._set(Stub(lambda call: self._succeed(self._example(call.version), head)))
        self._check_data(data, unknown_fields=unknown_fields)
        return self._set(Stub(self._succeed(data, head)))

    def fail(
        self,
        code: int,
        message: str = "Mocked failure",
        *,
        http_status: int = 200,
        retry_after: float | str | None = None,
        request_id: str = REQUEST_ID,
    ) -> MockOperation:
        """Respond with an error of the service.

        Args:
            code: The error code of the service.
            message: The message of the response.
            http_status: The status of the response.
            retry_after: Seconds, or the text of the ``Retry-After`` header.
            request_id: The request id of the response.
        """
        if not is_integer(code) or code == 0:
            raise TypeError(
                f"code must be an error code, an integer other than 0, not {code!r}; "
                "for a success call respond()."
            )
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        head = ResponseHead(http_status=http_status, request_id=request_id, headers=headers)
        return self._set(Stub(head.build_response(code, message, None)))

    @property
    def side_effect(self) -> Any:
        """The responses: one for all calls, or an iterable with one for each call."""
        return None if self._stub is None else self._stub.response

    @side_effect.setter
    def side_effect(self, response: StubResponse | Iterable[StubResponse]) -> None:
        is_one = callable(response) or isinstance(response, (Mapping, str, bytes))
        if isinstance(response, Iterable) and not is_one:  # a MagicMock is iterable, too
            if not isinstance(response, Iterator):
                for each in response:
                    self._check_response(each)
            self._set(Stub(response, response))
        else:
            self._check_response(response)
            self._set(Stub(response))

    def next_response(self, call: MockCall) -> Any:
        """Return the stub response to the latest call; a coroutine must be awaited."""
        assert self._stub is not None, "only mocked operations respond"
        response = self._stub.next()
        if response is EXHAUSTED:
            raise UnexpectedRequestError(
                f"{self._operation.id} was called again after "
                f"all of its responses were used: {self._stub.used}."
            )
        is_function = callable(response) and not isinstance(response, type)
        return response(call) if is_function else response

    def build_response(self, response: Any) -> httpx.Response:
        """Return the HTTP response of a stub response, or raise its exception."""
        if inspect.iscoroutine(response):
            response.close()  # or Python warns that it was never awaited
            raise TypeError(
                f"the side effect of {self._operation.id} is a coroutine function, which a "
                "synchronous client cannot await: set a plain function."
            )
        if isinstance(response, type) and issubclass(response, BaseException):
            response = response("mocked")  # httpx's exceptions require a message
        if isinstance(response, BaseException):
            raise response
        if isinstance(response, httpx.Response):
            return copy_response(response)
        self._check_data(response)
        return self._succeed(response, ResponseHead())

    def _set(self, stub: Stub) -> MockOperation:
        self._stub = stub
        if not self._in_block:
            self._lasting = stub
        return self

    def _succeed(self, data: Any, head: ResponseHead) -> httpx.Response:
        try:
            return head.build_response(0, "Success", data)
        except InvalidArgumentError as error:
            # Not an error of the SDK, which the code under test may handle: the test is wrong.
            raise TypeError(
                f"{self._operation.id} cannot respond with the data: {error}"
            ) from error

    def _example(self, version: str) -> dict[str, Any]:
        data: dict[str, Any] = example_response(self._operation.id, version=version)["data"]
        if self._operation.pagination:
            *above, token = self._operation.pagination.next_token.split(".")
            reduce(getitem, above, data)[token] = ""
        return data

    def _check_response(self, response: Any) -> None:
        if not (callable(response) or isinstance(response, (httpx.Response, BaseException))):
            self._check_data(response)

    def _check_data(self, data: Any, *, unknown_fields: bool = False) -> None:
        if isinstance(data, Mapping):
            if data.keys() >= _ENVELOPE_FIELDS:
                raise TypeError(
                    f"the data of {self._operation.id} is a whole envelope: "
                    'pass the value of its "data" field.'
                )
        elif not attrs.has(type(data)):
            raise TypeError(
                f"{self._operation.id} cannot respond with {data!r}: data must be a mapping or a "
                "model; set side_effect for a function or a whole httpx.Response."
            )
        if self._checks_fields and not unknown_fields:
            check_fields(self._operation.id, data, hint=_UNKNOWN_FIELDS_HINT)
