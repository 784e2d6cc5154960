"""Multipart forms with texts and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import HeaderParser
from http import HTTPStatus

from ..error_responses import UNREADABLE_BODY, Refusal
from ..handlers.call import UploadedFile
from ..inputs.json_input import encodable


def parse_form(
    content_type: str, body: bytes
) -> tuple[Mapping[str, str], Mapping[str, UploadedFile]]:
    """Return the texts and the files of a form by name."""
    texts: dict[str, str] = {}
    files: dict[str, UploadedFile] = {}
    try:
        for headers, content in _parts(_boundary(content_type), body):
            name = headers.get_param("name", header="content-disposition")
            filename = headers.get_filename()
            if not isinstance(name, str):
                raise _unreadable()
            if filename is None:
                texts[encodable(name)] = content.decode("utf-8", "replace")
            else:
                files[encodable(name)] = UploadedFile(encodable(filename), content)
    except ValueError:  # a header parameter with invalid bytes for its encoding
        raise _unreadable() from None
    return texts, files


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if not boundary:
        raise _unreadable()
    return b"\r\n--" + boundary.encode()


def _parts(delimiter: bytes, body: bytes) -> Iterator[tuple[Message, bytes]]:
    # The first delimiter can be at the start of the body, without a line break.
    _, *parts = (b"\r\n" + body).split(delimiter)
    if not parts or not parts[-1].startswith(b"--"):
        raise _unreadable()
    for part in parts[:-1]:
        head, separator, content = part.partition(b"\r\n\r\n")
        if not separator:
            raise _unreadable()
        yield HeaderParser().parsestr(head.decode("utf-8", "replace").lstrip()), content


def _unreadable() -> Refusal:
    return Refusal(
        UNREADABLE_BODY, "The body is not a complete multipart form.", HTTPStatus.BAD_REQUEST
    )
