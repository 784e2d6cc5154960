"""Stub responses of a mocked operation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs
import httpx

from ...pipeline.arguments.values import plain

REQUEST_ID = "202611240001020304050607"
EXHAUSTED = object()
"""In place of an answer, when all of a list were given."""


@attrs.define
class Stub:
    """A response to all calls, or an iterable of responses to one call each."""

    answer: Any
    answers: Iterable[Any] | None = None
    used: int = attrs.field(init=False, default=0)
    """How many responses of the iterable were given."""
    _left: Iterator[Any] | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin with the first response again; a generator goes on where it was."""
        self._left = None if self.answers is None else iter(self.answers)
        if self._left is not self.answers:
            self.used = 0

    def next(self) -> Any:
        """Return the response to the next call."""
        if self._left is None:
            return self.answer
        answer = next(self._left, EXHAUSTED)
        self.used += answer is not EXHAUSTED
        return answer


def is_integer(value: object) -> bool:
    """Return whether a value is an integer, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_status(http_status: object) -> None:
    """Reject what is not the status of an HTTP response."""
    if not (is_integer(http_status) and http_status in range(100, 600)):
        raise TypeError(f"http_status must be an integer from 100 to 599, not {http_status!r}.")


def copied(response: httpx.Response) -> httpx.Response:
    """Return a response to one more call, since a response can be read once."""
    headers = response.headers.copy()
    if "content-encoding" in headers:  # of the bytes, which are decoded now
        del headers["content-encoding"]
        headers.pop("content-length", None)
    return httpx.Response(response.status_code, headers=headers, content=response.read())


def envelope(
    code: int,
    message: str,
    data: Any,
    request_id: str,
    http_status: int,
    headers: Mapping[str, str] | None,
) -> httpx.Response:
    """Return a response of the service; data may hold models."""
    document = {
        "code": code,
        "message": message,
        "request_id": request_id,
        "data": plain(data, "data"),
    }
    return httpx.Response(
        http_status,
        headers={"content-type": "application/json", **(headers or {})},
        content=json.dumps(document).encode(),
    )
