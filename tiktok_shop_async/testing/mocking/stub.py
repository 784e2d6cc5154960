"""Stub responses of a mocked operation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import attrs
import httpx

from ...pipeline.arguments.values import plain
from .call_log import MockCall

StubResponse: TypeAlias = (
    Mapping[str, Any]
    | httpx.Response
    | BaseException
    | type[BaseException]
    | Callable[[MockCall], Any]
)
"""A response to a call: data of a successful response (a model or a mapping), a whole response, an
exception to raise, or a function, also an async one, that takes the call and returns one of
these."""

REQUEST_ID = "202611240001020304050607"
EXHAUSTED = object()
"""Returned in place of a response after all of an iterable were returned."""


@attrs.define
class Stub:
    """A response to all calls, or an iterable of responses to one call each."""

    response: Any
    responses: Iterable[Any] | None = None
    used: int = attrs.field(init=False, default=0)
    """How many responses of the iterable were returned."""
    _remaining: Iterator[Any] | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin with the first response again; a generator continues instead."""
        self._remaining = None if self.responses is None else iter(self.responses)
        if self._remaining is not self.responses:
            self.used = 0

    def next(self) -> Any:
        """Return the response to the next call."""
        if self._remaining is None:
            return self.response
        response = next(self._remaining, EXHAUSTED)
        self.used += response is not EXHAUSTED
        return response


@attrs.frozen(kw_only=True)
class ResponseHead:
    """The parts of a service response beside its code, message and data."""

    http_status: int = 200
    request_id: str = REQUEST_ID
    headers: Mapping[str, str] | None = None

    def __attrs_post_init__(self) -> None:
        if not (is_integer(self.http_status) and self.http_status in range(100, 600)):
            raise TypeError(
                f"http_status must be an integer from 100 to 599, not {self.http_status!r}."
            )

    def build_response(self, code: int, message: str, data: Any) -> httpx.Response:
        """Return a response of the service; data may contain models."""
        document = {
            "code": code,
            "message": message,
            "request_id": self.request_id,
            "data": plain(data, "data"),
        }
        return httpx.Response(
            self.http_status,
            headers={"content-type": "application/json", **(self.headers or {})},
            content=json.dumps(document).encode(),
        )


def is_integer(value: object) -> bool:
    """Return whether a value is an integer, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def copy_response(response: httpx.Response) -> httpx.Response:
    """Return a copy for one more call, since a response can be read only once."""
    headers = response.headers.copy()
    if "content-encoding" in headers:  # of the encoded bytes, but `read` decodes them
        del headers["content-encoding"]
        headers.pop("content-length", None)
    return httpx.Response(response.status_code, headers=headers, content=response.read())
