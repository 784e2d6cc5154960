"""File arguments, and the multipart form that sends them."""

from __future__ import annotations

import inspect
import io
import mimetypes
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import httpx

from ..._internal.threads import in_thread
from ...errors import InvalidArgumentError, TransportError

FileInput: TypeAlias = bytes | os.PathLike[str] | BinaryIO
"""Bytes, a path that is opened and closed for the call, or an open binary file."""

_CHUNK = 64 * 1024
_UNSAFE_IN_NAMES = re.compile(r'[\x00-\x1f"]')


def is_file_object(value: Any) -> bool:
    """Return whether ``value`` is an open file."""
    return hasattr(value, "read")


def can_be_read_again(value: Any) -> bool:
    """Return whether a retry can send ``value`` again: an open file must be able to seek."""
    if not is_file_object(value):
        return True
    try:
        return bool(value.seekable())
    except AttributeError:
        return hasattr(value, "seek")
    except ValueError:  # it is closed
        return False


class MultipartBody(httpx.AsyncByteStream):
    """A multipart form, read chunk by chunk without blocking the event loop.

    It replaces httpx's own, which sends a form without a file as another content type.
    """

    def __init__(self, texts: Mapping[str, str], files: Mapping[str, bytes | _File]) -> None:
        boundary = os.urandom(16).hex()
        self._parts: list[bytes | _File] = []
        for name, text in texts.items():
            self._parts += [_head(boundary, name), text.encode(), b"\r\n"]
        for name, file in files.items():
            filename = file.name if isinstance(file, _File) else name
            self._parts += [_head(boundary, name, filename), file, b"\r\n"]
        self._parts.append(f"--{boundary}--\r\n".encode())
        self._files = [file for file in files.values() if isinstance(file, _File)]
        self.headers = (
            (b"content-type", f"multipart/form-data; boundary={boundary}".encode()),
            self._framing(),
        )

    def _framing(self) -> tuple[bytes, bytes]:
        sizes = [part.size if isinstance(part, _File) else len(part) for part in self._parts]
        known = [size for size in sizes if size is not None]
        if len(known) < len(sizes):
            return b"transfer-encoding", b"chunked"
        return b"content-length", str(sum(known)).encode()

    async def check(self) -> None:
        """Raise `InvalidArgumentError` if a file is empty or not binary."""
        for file in self._files:
            await in_thread(file.check)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pending = b""
        for part in self._parts:
            if isinstance(part, bytes):
                pending += part
                continue
            yield pending
            async for chunk in part.chunks():
                yield chunk
            pending = b""
        yield pending


class _File:
    """An open file that is a part of a form."""

    def __init__(self, argument: str, name: str, file: Any) -> None:
        self.argument = argument
        self.name = name
        self._file = file
        self._can_seek = can_be_read_again(file)
        self._first: bytes | None = None
        self.size = self._measure() if self._can_seek else None

    def _measure(self) -> int:
        size = self._file.seek(0, io.SEEK_END)
        # The seek() of some file objects returns None.
        return int(self._file.tell() if size is None else size)

    def check(self) -> None:
        """Read the first chunk; raise `InvalidArgumentError` if it cannot be sent."""
        with _translate_errors(self.argument, self.name):
            chunk = self._read(from_start=True)
        if not isinstance(chunk, bytes):
            message, hint = _not_bytes(chunk)
            raise _invalid_file(
                f"the file {self.name} cannot be sent: {message}.", self.argument, hint
            )
        if not chunk:
            raise _invalid_file(f"the file {self.name} is empty.", self.argument)
        if not self._can_seek:
            self._first = chunk

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the content; raise `TransportError` if the file's size has changed."""
        sent = 0
        while chunk := await in_thread(self._next_chunk, is_first=not sent):
            sent += len(chunk)
            if self.size is not None and sent > self.size:
                raise self._changed(f"it has more than its original {self.size} bytes")
            yield chunk
        if self.size is not None and sent < self.size:
            raise self._changed(f"it has {sent} bytes instead of its original {self.size}")

    def _next_chunk(self, *, is_first: bool) -> bytes:
        try:
            chunk = self._read(from_start=is_first)
        except (OSError, ValueError) as error:
            raise self._changed(f"it cannot be read: {_reason(error)}") from error
        if not isinstance(chunk, bytes):
            raise self._changed(_not_bytes(chunk)[0])
        return chunk

    def _read(self, *, from_start: bool) -> Any:
        if self._first is not None:
            chunk, self._first = self._first, None
            return chunk
        if from_start and self._can_seek:
            self._file.seek(0)
        chunk = self._file.read(_CHUNK)
        return bytes(chunk) if isinstance(chunk, (bytearray, memoryview)) else chunk

    def _changed(self, message: str) -> TransportError:
        return TransportError(f"the file {self.name} changed while it was sent: {message}.")


def multipart_body(
    texts: Mapping[str, str], files: Mapping[str, Any], stack: ExitStack
) -> MultipartBody:
    """Return the body of a multipart request; ``stack`` closes the files that it opens."""
    return MultipartBody(texts, {name: _open(name, value, stack) for name, value in files.items()})


def _open(argument: str, value: Any, stack: ExitStack) -> bytes | _File:
    if isinstance(value, (bytes, bytearray, memoryview)):
        if not len(value):
            raise _invalid_file("the file is empty.", argument)
        return bytes(value)
    if isinstance(value, os.PathLike):
        path = Path(value)
        with _translate_errors(argument, path.name):
            return _File(argument, path.name, stack.enter_context(path.open("rb")))
    if is_file_object(value) and not hasattr(value, "encoding"):
        name = getattr(value, "name", None)
        name = Path(name).name if isinstance(name, str) else argument
        with _translate_errors(argument, name):
            return _File(argument, name, value)
    raise _invalid_file(
        f"a file must be bytes, a path or an open binary file, not {type(value).__name__}.",
        argument,
        _hint_for_text(value) if isinstance(value, str) else _HINT_FOR_TEXT_FILES,
    )


def _head(boundary: str, name: str, filename: str | None = None) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_escape(name)}"'
    if filename is not None:
        kind = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        head += f'; filename="{_escape(filename)}"\r\nContent-Type: {kind}'
    return f"{head}\r\n\r\n".encode()


def _escape(name: str) -> str:
    """Return a name escaped as browsers do it in forms."""
    name = name.replace("\\", "\\\\")
    return _UNSAFE_IN_NAMES.sub(lambda found: f"%{ord(found[0]):02X}", name)


_HINT_FOR_TEXT_FILES = 'Open a file in binary mode: open(path, "rb").'


def _hint_for_text(text: str) -> str:
    if re.match(r"https?://", text, re.IGNORECASE):
        return "Download it first, and pass its bytes."
    return f"For a path, pass pathlib.Path({text!r})."


def _not_bytes(chunk: Any) -> tuple[str, str]:
    """Return the problem with the result of ``read``, and a hint."""
    if inspect.iscoroutine(chunk):
        chunk.close()  # otherwise Python warns that it was never awaited
        return "its read() is a coroutine function", "Pass its bytes: await file.read()."
    return (
        f"its read() must return bytes, not {type(chunk).__name__}",
        _HINT_FOR_TEXT_FILES,
    )


@contextmanager
def _translate_errors(argument: str, name: str) -> Iterator[None]:
    try:
        yield
    except InvalidArgumentError:  # a subclass of ValueError
        raise
    except (OSError, ValueError) as error:
        raise _invalid_file(
            f"the file {name} cannot be read: {_reason(error)}.", argument
        ) from error


def _reason(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error).rstrip(".")


def _invalid_file(message: str, argument: str, hint: str | None = None) -> InvalidArgumentError:
    return InvalidArgumentError(message, argument=argument, hint=hint)
