"""Files as arguments: opened, streamed and closed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import httpx

from ..errors import InvalidArgumentError
from .threads import in_thread

FileInput: TypeAlias = bytes | os.PathLike[str] | BinaryIO
"""Bytes, a path that is opened and closed for the call, or an open binary file."""


class MultipartBody(httpx.AsyncByteStream):
    """A form with files, read chunk by chunk without holding up the event loop."""

    def __init__(self, texts: Mapping[str, str], files: Mapping[str, tuple[str, Any]]) -> None:
        encoded = httpx.Request("POST", "http://form", data=texts, files=files)
        self.headers = tuple(
            (name, value) for name, value in encoded.headers.raw if name.lower() != b"host"
        )
        self._stream = encoded.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._stream, httpx.SyncByteStream)
        chunks = iter(self._stream)
        with _os_errors_explained("file"):
            while (chunk := await in_thread(next, chunks, None)) is not None:
                yield chunk


def multipart_body(
    texts: Mapping[str, str], files: Mapping[str, Any], stack: ExitStack
) -> MultipartBody:
    """Return the body of a multipart request; files it opens are closed with ``stack``."""
    return MultipartBody(
        texts, {name: _named_content(name, value, stack) for name, value in files.items()}
    )


def _named_content(argument: str, value: Any, stack: ExitStack) -> tuple[str, Any]:
    """Return the file's name and its content: bytes or an open file."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        if not len(value):
            raise _refused("the file is empty.", argument)
        return argument, bytes(value)
    if isinstance(value, os.PathLike):
        path = Path(value)
        with _os_errors_explained(argument):
            file = stack.enter_context(path.open("rb"))
            if not os.fstat(file.fileno()).st_size:
                raise _refused(f"the file {path.name} is empty.", argument)
        return path.name, file
    if hasattr(value, "read") and not hasattr(value, "encoding"):
        name = getattr(value, "name", None)
        return Path(name).name if isinstance(name, str) else argument, value
    raise _refused(
        f"a file is bytes, a path or an open binary file, not {type(value).__name__}.", argument
    )


@contextmanager
def _os_errors_explained(argument: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refused(f"the file cannot be read: {error.strerror or error}.", argument) from error


def _refused(message: str, argument: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, argument=argument)
