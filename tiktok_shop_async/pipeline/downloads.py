"""Files in responses: base64 text becomes bytes, kept in memory or written to a path."""

from __future__ import annotations

from base64 import b64decode
from operator import attrgetter
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import attrs

from .._internal.threads import in_thread
from ..errors import InvalidArgumentError, ResponseDecodeError
from ..response import APIResponse, FileResponse

M = TypeVar("M")


def parse_save_path(save_to: str | PathLike[str] | None) -> Path | None:
    """Return ``save_to`` as a path; reject anything else."""
    try:
        return None if save_to is None else Path(save_to)
    except TypeError:
        raise InvalidArgumentError(
            f"save_to must be a path, not {type(save_to).__name__}.", argument="save_to"
        ) from None


async def extract_file(response: APIResponse[M], field: str, path: Path | None) -> FileResponse[M]:
    """Return ``response`` with its file, whose base64 text is in ``field`` of its data.

    With a ``path``, save the file there; the path never has a partly written file.
    """
    content = await in_thread(_decode, response, field)
    if path is not None:
        try:
            await in_thread(_write, path, content)
        except (OSError, ValueError) as error:  # the latter for an invalid file name
            raise InvalidArgumentError(
                f"the file cannot be saved: {getattr(error, 'strerror', None) or error}.",
                argument="save_to",
                operation=response.operation,
                request_id=response.request_id,
            ) from error
    fields: dict[str, Any] = {
        field.name: getattr(response, field.name) for field in attrs.fields(APIResponse)
    }
    return FileResponse(**fields, content=content if path is None else None, path=path)


def _decode(response: APIResponse[Any], field: str) -> bytes:
    try:
        text: str = attrgetter(field)(response.data)
        return b64decode("".join(text.split()), validate=True)
    except (AttributeError, ValueError):  # no text, or text that is not base64
        pass
    raise ResponseDecodeError(
        f"the response has no file in {field}.",
        operation=response.operation,
        request_id=response.request_id,
        http_status=response.http_status,
        hint="`client.request` returns the data that the service sent instead.",
    )


def _write(path: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
        try:
            part.write(content)
            part.close()
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink()
            raise
