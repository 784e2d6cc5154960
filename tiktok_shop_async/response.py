"""What a call returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs
import httpx

from .documents import load_document

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class DecodingIssue:
    """A part of an answer that did not have the promised type."""

    path: str
    """Where, from ``data`` on: ``orders[0].line_items[2].quantity``; empty for ``data`` itself."""
    expected: str
    found: str
    """JSON type that was there instead; the value is still in ``json()``."""


@attrs.frozen(kw_only=True)
class APIResponse(Generic[T]):
    """An answer of the service, decoded."""

    data: T
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
        """Return the whole answer as plain Python values, envelope included."""
        return load_document(self.raw)


@attrs.frozen(kw_only=True)
class FileResponse(APIResponse[T]):
    """An answer that carries a file."""

    content: bytes | None = attrs.field(default=None, repr=False)
    """The file's bytes; None where they went to ``path``."""
    path: Path | None = None
    """The file that was written, if ``save_to`` was given."""
    media_type: str | None = None
    """Content type of the file, if the service named it."""
