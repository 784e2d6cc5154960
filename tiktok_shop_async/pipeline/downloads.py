"""Answers that are files: kept in memory, or streamed to a path."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Iterable
from operator import attrgetter
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

import attrs
import httpx

from ..errors import InvalidArgumentError, ResponseDecodeError
from ..response import FileResponse
from .decoding import decode_data
from .envelope import open_envelope
from .operation import Operation
from .threads import in_thread
from .transport import receive

M = TypeVar("M")

_NOT_FILES = frozenset({"", "application/json", "text/html"})


async def receive_file(
    response: httpx.Response,
    operation: Operation,
    model: type[M],
    save_to: str | PathLike[str] | None,
    secrets: Iterable[str],
    clock: Callable[[], float],
) -> FileResponse[M]:
    """Return the file of a streamed answer.

    The catalogue knows it as base64 text in an envelope; an answer that is no JSON is the file
    itself. What is saved appears under its name only when it is complete.
    """
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code == 200 and media_type not in _NOT_FILES:
        file = FileResponse(
            data=model(),
            http_status=response.status_code,
            headers=response.headers,
            raw=b"",
            operation=operation.id,
            media_type=media_type,
        )
        return await _keep(file, response.aiter_bytes(), save_to)
    answer = await receive(response)
    success = open_envelope(answer, model, operation.id, secrets, clock)
    data, issues = decode_data(model, success.data)
    file = FileResponse(
        data=data,
        message=success.message,
        request_id=success.request_id,
        http_status=answer.status,
        headers=answer.headers,
        raw=answer.body,
        issues=issues,
        operation=operation.id,
    )
    return await _keep(file, _decoded(file, operation), save_to)


async def _decoded(file: FileResponse[M], operation: Operation) -> AsyncIterator[bytes]:
    try:
        yield base64.b64decode(attrgetter(operation.download or "")(file.data), validate=True)
    except (AttributeError, TypeError, binascii.Error) as error:
        raise ResponseDecodeError(
            "the answer has no file that can be read.",
            operation=operation.id,
            request_id=file.request_id,
            http_status=file.http_status,
        ) from error


async def _keep(
    file: FileResponse[M], chunks: AsyncIterator[bytes], save_to: str | PathLike[str] | None
) -> FileResponse[M]:
    if save_to is None:
        return attrs.evolve(file, content=b"".join([chunk async for chunk in chunks]))
    path = Path(save_to)
    try:
        await _write(path, chunks)
    except OSError as error:
        raise InvalidArgumentError(
            f"the file cannot be saved: {error.strerror or error}.",
            argument="save_to",
            operation=file.operation,
        ) from error
    return attrs.evolve(file, path=path)


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> None:
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
        try:
            async for chunk in chunks:
                await in_thread(part.write, chunk)
            part.close()
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink()
            raise
