"""One mocked operation: its stub responses, and the calls it received."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from operator import getitem
from typing import Any, TypeAlias

import attrs
import httpx

from ...errors import InvalidArgumentError
from ...pipeline.operation import Operation
from ..examples import example_response
from ..response_fields import check_fields
from .call_arguments import sent_arguments
from .comparison import argument_differences, shown
from .stub import EXHAUSTED, REQUEST_ID, Stub, check_status, copied, envelope, is_integer


class UnexpectedRequestError(AssertionError):
    """A request that is not mocked, or that the service would reject."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """The error code of the service; None where only the test did not expect the request."""


@attrs.frozen(kw_only=True)
class MockCall:
    """A call that arrived."""

    arguments: Mapping[str, Any] = attrs.field(repr=shown)
    """By their Python names, as JSON has them; what was not given is missing."""
    version: str
    request: httpx.Request = attrs.field(repr=False)


Answer: TypeAlias = (
    Mapping[str, Any]
    | httpx.Response
    | BaseException
    | type[BaseException]
    | Callable[[MockCall], Any]
)
"""Data of a successful response (a model or a mapping), a whole response, an exception to raise, or
a function, also an async one, from the call to one of those."""

_ENVELOPE = {"code", "message", "data"}
_MAX_CALLS_SHOWN = 3


class MockOperation:
    """Responds to the calls of one operation, and records them."""

    # Without a __dict__, so that a misspelt attribute cannot be set.
    __slots__ = (
        "__weakref__",
        "_checks_fields",
        "_in_block",
        "_lasting",
        "_operation",
        "_stub",
        "calls",
    )

    def __init__(
        self, operation: Operation, *, check_fields: bool = True, in_block: bool = False
    ) -> None:
        self._operation = operation
        self._checks_fields = check_fields
        self._in_block = in_block
        self._stub: Stub | None = None
        self._lasting: Stub | None = None
        """The stub that was set outside of a block: each block begins with it."""
        self.calls: list[MockCall] = []
        """All calls so far, oldest first."""

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
        """Keep responses that are set from now on for the blocks to come."""
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

        The example is of the version that is called. One of a list is its only page, so that
        iterating over it ends.

        Args:
            data: The data of the response, by the names of the fields in the API.
            unknown_fields: Whether ``data`` may have fields that the catalogue lacks, as recorded
                responses do. Otherwise such a field is a `TypeError`, since it may be misspelt.
            http_status: The status of the response.
            request_id: The request id of the response.
            headers: More headers of the response.
        """
        check_status(http_status)

        def answer(data: Any) -> httpx.Response:
            return self._success(data, request_id, http_status, headers)

        if data is None:
            return self._set(Stub(lambda call: answer(self._example(call.version))))
        self._check_data(data, unknown_fields=unknown_fields)
        return self._set(Stub(answer(data)))

    def _success(
        self,
        data: Any,
        request_id: str = REQUEST_ID,
        http_status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return envelope(0, "Success", data, request_id, http_status, headers)
        except InvalidArgumentError as error:
            # A mistake of the test: code under test may handle errors of the SDK.
            raise TypeError(
                f"{self._operation.id} cannot respond with the data: {error}"
            ) from error

    def _example(self, version: str) -> dict[str, Any]:
        data: dict[str, Any] = example_response(self._operation.id, version=version)["data"]
        if self._operation.pagination:
            *above, token = self._operation.pagination.next_token.split(".")
            reduce(getitem, above, data)[token] = ""
        return data

    def fail(
        self,
        code: int,
        message: str = "Mocked failure",
        *,
        http_status: int = 200,
        retry_after: float | str | None = None,
        request_id: str = REQUEST_ID,
    ) -> MockOperation:
        """Respond with an error of the service; ``retry_after`` is seconds, or a header's text."""
        if not is_integer(code) or code == 0:
            raise TypeError(f"{code!r} is no code of an error; 0 is success, see respond().")
        check_status(http_status)
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        return self._set(Stub(envelope(code, message, None, request_id, http_status, headers)))

    @property
    def side_effect(self) -> Any:
        """The responses; set one response for all calls, or a list of one for each call."""
        return None if self._stub is None else self._stub.answer

    @side_effect.setter
    def side_effect(self, answer: Answer | Iterable[Answer]) -> None:
        is_one = callable(answer) or isinstance(answer, (Mapping, str, bytes))
        if isinstance(answer, Iterable) and not is_one:  # one can iterate over a MagicMock
            if not isinstance(answer, Iterator):
                for each in answer:
                    self._check_answer(each)
            self._set(Stub(answer, answer))
        else:
            self._check_answer(answer)
            self._set(Stub(answer))

    def _set(self, stub: Stub) -> MockOperation:
        self._stub = stub
        if not self._in_block:
            self._lasting = stub
        return self

    def next_answer(self, call: MockCall) -> Any:
        """Return what was set for the latest call, which may have to be awaited."""
        assert self._stub is not None, "only mocked operations respond"
        answer = self._stub.next()
        if answer is EXHAUSTED:
            raise UnexpectedRequestError(
                f"{self._operation.id} was called again after "
                f"all of its responses were used: {self._stub.used}."
            )
        return answer(call) if callable(answer) and not isinstance(answer, type) else answer

    def response_of(self, answer: Any) -> httpx.Response:
        """Return the response that an answer stands for, or raise the exception that it is."""
        if inspect.iscoroutine(answer):
            answer.close()  # or Python warns that it was never awaited
            raise TypeError(
                f"the side effect of {self._operation.id} is a coroutine function, which a "
                "synchronous client cannot await: set a plain function."
            )
        if isinstance(answer, type) and issubclass(answer, BaseException):
            answer = answer("mocked")  # httpx's exceptions cannot be made without a message
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, httpx.Response):
            return copied(answer)
        self._check_data(answer)
        return self._success(answer)

    def _check_answer(self, answer: Any) -> None:
        if not (callable(answer) or isinstance(answer, (httpx.Response, BaseException))):
            self._check_data(answer)

    def _check_data(self, data: Any, *, unknown_fields: bool = False) -> None:
        if isinstance(data, Mapping):
            if data.keys() >= _ENVELOPE:
                raise TypeError(
                    f"{self._operation.id} is to answer with a whole envelope as its data: "
                    'give what stands under "data" in it.'
                )
        elif not attrs.has(type(data)):
            raise TypeError(
                f"{self._operation.id} cannot answer with {data!r}: data is a mapping or a model; "
                "a function or a whole httpx.Response goes to side_effect."
            )
        if self._checks_fields and not unknown_fields:
            check_fields(self._operation.id, data, hint=_UNKNOWN_FIELDS)

    @property
    def called(self) -> bool:
        """Whether there was a call."""
        return bool(self.calls)

    @property
    def call_count(self) -> int:
        """The number of calls."""
        return len(self.calls)

    def assert_called_once(self) -> None:
        """Fail unless there was one call, whatever its arguments."""
        if len(self.calls) != 1:
            raise AssertionError(
                f"{self._operation.id} was called {len(self.calls)} times, not once."
            )

    def assert_called_once_with(self, **arguments: Any) -> None:
        """Fail unless there was one call, with just these arguments."""
        self.assert_called_once()
        self.assert_called_with(**arguments)

    def assert_called_with(self, **arguments: Any) -> None:
        """Fail unless the last call had just these arguments."""
        if not self.calls:
            raise AssertionError(f"{self._operation.id} was not called.")
        found = argument_differences(
            self._operation, self.calls[-1].arguments, self._sent(arguments)
        )
        if found:
            raise AssertionError(
                f"the last call of {self._operation.id} was not with the expected arguments:{found}"
            )

    def assert_any_call(self, **arguments: Any) -> None:
        """Fail unless some call had just these arguments."""
        expected = self._sent(arguments)
        found = [
            argument_differences(self._operation, call.arguments, expected) for call in self.calls
        ]
        if "" not in found:
            latest = list(enumerate(found, 1))[-_MAX_CALLS_SHOWN:]
            details = "".join(f"\ncall {number}:{lines}" for number, lines in latest)
            raise AssertionError(
                f"none of {len(self.calls)} calls of {self._operation.id} "
                f"had the expected arguments {shown(expected)}.{details}"
            )

    def assert_not_called(self) -> None:
        """Fail if there was a call."""
        if self.calls:
            raise AssertionError(
                f"{self._operation.id} was called {len(self.calls)} times, and should not be."
            )

    def _sent(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return sent_arguments(self._operation, arguments)
        except (InvalidArgumentError, OSError, ValueError) as error:
            raise AssertionError(
                f"{self._operation.id} cannot be called with the expected arguments: {error}"
            ) from error


_UNKNOWN_FIELDS = (
    "If it is meant, pass unknown_fields=True to respond(), or check_responses=False to the mock."
)
