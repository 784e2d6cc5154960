"""One mocked operation: what it answers, and how it was called."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from operator import getitem
from typing import Any, TypeAlias

import attrs
import httpx

from ..pipeline.kinds import convert
from ..pipeline.operation import Operation
from ..pipeline.values import plain
from .examples import example_response


class UnexpectedRequestError(AssertionError):
    """A request that is not mocked, or that the service would refuse."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """What the service would refuse it with; None where only the test did not expect it."""


@attrs.frozen(kw_only=True)
class MockCall:
    """A call that arrived."""

    arguments: Mapping[str, Any]
    """By their Python names, as JSON has them; what was not given is not there."""
    version: str
    request: httpx.Request = attrs.field(repr=False)


Answer: TypeAlias = (
    Mapping[str, Any]
    | httpx.Response
    | BaseException
    | type[BaseException]
    | Callable[[MockCall], Any]
)
"""Data of a successful answer (a model or a mapping), a whole response, an exception to raise, or a
function, also an async one, from the call to one of those."""

_REQUEST_ID = "202611240001020304050607"
_ENVELOPE = {"code", "message", "data"}
_EXHAUSTED = object()


class MockOperation:
    """Answers the calls of one operation, and remembers them."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._answers: Iterator[Any] | None = None
        self._answer: Any = None
        self.is_mocked = False
        self.calls: list[MockCall] = []
        """All calls so far, oldest first."""

    def __repr__(self) -> str:
        return f"<MockOperation {self._operation.id}, called {len(self.calls)} times>"

    def respond(
        self,
        data: Any = None,
        *,
        http_status: int = 200,
        request_id: str = _REQUEST_ID,
        headers: Mapping[str, str] | None = None,
    ) -> MockOperation:
        """Answer with success; without ``data`` (a model or a mapping), with a full example.

        The example is of the version that is called. One of a list is its only page, so that
        walking it ends.
        """

        def answer(data: Any) -> httpx.Response:
            return _envelope(0, "Success", _plain(data), request_id, http_status, headers)

        if data is None:
            return self._answer_with(lambda call: answer(self._example(call.version)))
        self._check_data(data)
        return self._answer_with(answer(data))

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
        request_id: str = _REQUEST_ID,
    ) -> MockOperation:
        """Answer with an error of the service; ``retry_after`` is seconds, or a header's text."""
        if not isinstance(code, int) or code == 0:
            raise TypeError(f"{code!r} is no code of an error; 0 is success, see respond().")
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        return self._answer_with(_envelope(code, message, None, request_id, http_status, headers))

    @property
    def side_effect(self) -> Any:
        """What was set; set one answer for all calls, or a list of answers for one call each."""
        return self._answer

    @side_effect.setter
    def side_effect(self, answer: Answer | Iterable[Answer]) -> None:
        if isinstance(answer, Iterable) and not isinstance(answer, (Mapping, str, bytes)):
            self._answer_with(answer)
            self._answers = iter(answer)
        else:
            if not _is_whole(answer):
                self._check_data(answer)
            self._answer_with(answer)

    def _answer_with(self, answer: Any) -> MockOperation:
        self._answer, self._answers, self.is_mocked = answer, None, True
        return self

    async def answer(self, call: MockCall) -> httpx.Response:
        """Return, or raise, what was set for the latest call."""
        answer = self._answer
        if self._answers is not None:
            answer = next(self._answers, _EXHAUSTED)
            if answer is _EXHAUSTED:
                raise UnexpectedRequestError(
                    f"{self._operation.id} was called {len(self.calls)} times, "
                    f"and has {len(self.calls) - 1} answers."
                )
        if callable(answer) and not isinstance(answer, type):
            answer = answer(call)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, type) and issubclass(answer, BaseException):
            answer = answer("mocked")  # httpx's exceptions cannot be made without a message
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, httpx.Response):
            # A response can be read once; the next call gets one of its own.
            return httpx.Response(
                answer.status_code, headers=answer.headers, content=answer.content
            )
        self._check_data(answer)
        return _envelope(0, "Success", _plain(answer), _REQUEST_ID, 200, None)

    def _check_data(self, data: Any) -> None:
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

    @property
    def called(self) -> bool:
        """Whether there was a call."""
        return bool(self.calls)

    @property
    def call_count(self) -> int:
        """How many calls there were."""
        return len(self.calls)

    def assert_called_once(self) -> None:
        """Fail unless there was one call, whatever its arguments."""
        if len(self.calls) != 1:
            raise AssertionError(f"{self._operation.id} was called {len(self.calls)} times.")

    def assert_called_once_with(self, **arguments: Any) -> None:
        """Fail unless there was one call, with just these arguments."""
        self.assert_called_once()
        self.assert_called_with(**arguments)

    def assert_called_with(self, **arguments: Any) -> None:
        """Fail unless the last call had just these arguments."""
        if not self.calls:
            raise AssertionError(f"{self._operation.id} was not called.")
        last = self.calls[-1].arguments
        expected = _as_sent(self._operation, arguments)
        if not _fit(last, expected):
            raise AssertionError(
                f"{self._operation.id} was called with {last!r}, not with {expected!r}."
            )

    def assert_any_call(self, **arguments: Any) -> None:
        """Fail unless some call had just these arguments."""
        expected = _as_sent(self._operation, arguments)
        if not any(_fit(call.arguments, expected) for call in self.calls):
            raise AssertionError(
                f"none of {len(self.calls)} calls of {self._operation.id} "
                f"had the arguments {expected!r}."
            )

    def assert_not_called(self) -> None:
        """Fail if there was a call."""
        if self.calls:
            raise AssertionError(f"{self._operation.id} was called {len(self.calls)} times.")


def _fit(sent: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether a call had the expected arguments; a key that the client made is none of them."""
    made = {"idempotency_key"} - expected.keys()
    arguments = {name: value for name, value in sent.items() if name not in made}
    return bool(arguments == expected)


def _as_sent(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call as the client sends them: an ``int`` for an id as text."""
    kinds = {path.partition(".")[2]: kind for path, kind in operation.arguments.items()}
    kinds |= {name: str for name in arguments if f"{{{name}}}" in operation.path}
    return {
        name: convert(value, kinds[name], name)
        if name in kinds and value is not None
        else _plain(value)
        for name, value in arguments.items()
    }


def _is_whole(answer: Any) -> bool:
    """Whether an answer is more, or something else, than data."""
    return callable(answer) or isinstance(answer, (httpx.Response, BaseException))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        # None means "not given" in arguments, and null in data: both are left as they are.
        return {name: _plain(item) for name, item in value.items()}
    return value if isinstance(value, bytes) else plain(value, "data")


def _envelope(
    code: int,
    message: str,
    data: Any,
    request_id: str,
    http_status: int,
    headers: Mapping[str, str] | None,
) -> httpx.Response:
    envelope = {"code": code, "message": message, "request_id": request_id, "data": data}
    return httpx.Response(
        http_status,
        headers={"content-type": "application/json", **(headers or {})},
        content=json.dumps(envelope).encode(),
    )
