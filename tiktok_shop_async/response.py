"""What a call returns."""

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
    """A part of an answer that did not have the promised type."""

    path: str
    """Where, from ``data`` on: ``orders[0].line_items[2].quantity``; empty for ``data`` itself."""
    expected: str
    """JSON type that was promised, or a limit that was exceeded."""
    found: str
    """JSON type that was there instead, or ``NaN`` and the like; it is still in ``json()``."""


@attrs.frozen(kw_only=True)
class APIResponse(Generic[T]):
    """An answer of the service, decoded."""

    data: T = attrs.field(repr=masked_repr)
    """The operation's model; a field that the answer lacks is None, a list empty."""
    code: int = 0
    message: str = ""
    request_id: str = ""
    """The service's id of the call; its support asks for it."""
    http_status: int
    headers: httpx.Headers = attrs.field(repr=False)
    raw: bytes = attrs.field(repr=False)
    """Body as it came, content encoding undone."""
    issues: tuple[DecodingIssue, ...] = ()
    """What could not be coerced; its fields are None in ``data``."""
    operation: str
    """``group.name`` of the operation, or method and path of a raw call."""
    attempts: int = 1
    """How often the call was sent until this answer came."""

    def json(self) -> Any:
        """Return the whole response as plain Python values, envelope included.

        `ResponseDecodeError` if it is nested too deeply for Python, or is not JSON; ``raw`` has it.
        An integer of thousands of digits is a float whose ``text`` has them.
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
            hint="`raw` has its bytes.",
        )

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        return masked_fields(self)


@attrs.frozen(kw_only=True)
class FileResponse(APIResponse[T]):
    """A response with a file."""

    content: bytes | None = attrs.field(default=None, repr=False)
    """The file's bytes; None where they went to ``path``."""
    path: Path | None = None
    """The file that was written, if ``save_to`` was given."""
    media_type: str | None = None
    """Content type of the file, if the service names it; it does not so far."""


_REQUEST_ID_HEADERS = ("x-tts-logid", "x-tt-logid", "x-request-id")


@attrs.frozen
class RawResponse:
    """A response, read to its end."""

    status: int
    headers: httpx.Headers = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    """Content encoding undone."""

    @property
    def request_id(self) -> str | None:
        """The service's id of the call, as a header has it."""
        return request_id_of(self.headers)


def request_id_of(headers: httpx.Headers) -> str | None:
    """Return the id of a call from the headers of its response."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def content_encodings(headers: httpx.Headers) -> list[str]:
    """Return the encodings of the body, in the order in which they were applied."""
    return headers.get_list("content-encoding", split_commas=True)
