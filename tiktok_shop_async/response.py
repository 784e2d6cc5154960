"""The responses that calls return."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs
import httpx

from ._internal.lenient_json import load_document
from ._internal.personal_data import masked_fields, masked_repr
from .errors import ResponseDecodeError

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class DecodingIssue:
    """A value in a response that does not have its documented type."""

    path: str
    """Its path below ``data``: ``orders[0].line_items[2].quantity``; empty for ``data`` itself."""
    expected: str
    """The documented JSON type, or the limit that was exceeded."""
    found: str
    """The JSON type of the value, or a name such as ``NaN``; ``json()`` has the value itself."""


@attrs.frozen(kw_only=True)
class APIResponse(Generic[T]):
    """A decoded response of the service."""

    data: T = attrs.field(repr=masked_repr)
    """The operation's model; a missing field is None, a missing list is empty."""
    code: int = 0
    message: str = ""
    request_id: str = ""
    """The service's id of the call; quote it to the service's support."""
    http_status: int
    headers: httpx.Headers = attrs.field(repr=False)
    raw: bytes = attrs.field(repr=False)
    """The body, with its content encoding removed."""
    issues: tuple[DecodingIssue, ...] = ()
    """The values that could not be converted; their fields are None in ``data``."""
    operation: str
    """``group.name`` of the operation, or method and path of a raw call."""
    attempts: int = 1
    """The number of attempts, including the one that got this response."""

    def json(self) -> Any:
        """Return the whole response as plain Python values, envelope included.

        An integer with thousands of digits is a float whose ``text`` has the digits.

        Raises:
            ResponseDecodeError: It is not JSON, or nested too deeply for Python; see ``raw``.
        """
        try:
            return load_document(self.raw)
        except RecursionError:
            problem = "the response is nested too deeply for Python"
        except ValueError:
            problem = "the response is not JSON"
        raise ResponseDecodeError(
            f"{problem}.",
            operation=self.operation,
            request_id=self.request_id,
            http_status=self.http_status,
            hint="Its bytes are in `raw`.",
        )

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        return masked_fields(self)


@attrs.frozen(kw_only=True)
class FileResponse(APIResponse[T]):
    """A response with a file."""

    content: bytes | None = attrs.field(default=None, repr=False)
    """The bytes of the file; None if it was saved to ``path``."""
    path: Path | None = None
    """The path that the file was saved to; None without ``save_to``."""
    media_type: str | None = None
    """The content type of the file; None, since the service does not send it."""


_REQUEST_ID_HEADERS = ("x-tts-logid", "x-tt-logid", "x-request-id")


@attrs.frozen
class RawResponse:
    """A response whose body has been read completely."""

    status: int
    headers: httpx.Headers = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    """The body, with its content encoding removed."""

    @property
    def request_id(self) -> str | None:
        """The service's id of the call, from a header."""
        return request_id_of(self.headers)


def request_id_of(headers: httpx.Headers) -> str | None:
    """Return the id of a call from the headers of its response."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def content_encodings(headers: httpx.Headers) -> list[str]:
    """Return the encodings of the body, in the order in which they were applied."""
    return headers.get_list("content-encoding", split_commas=True)
