"""Parts of a request from its ASGI scope, and its body with a size limit."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope

from ..error_responses import TOO_LARGE, Refusal

MEGABYTE = 1024 * 1024
MAX_BODY_SIZES = {None: MEGABYTE, "json": 4 * MEGABYTE, "multipart": 110 * MEGABYTE}
"""Kind of body -> maximum bytes; our choice, with room for the largest video."""


def path_of(scope: Scope) -> str:
    """Return the decoded path."""
    path: str = scope["path"]
    return path


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers by lowercase name; the last one if a name is repeated."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def query_pairs_of(scope: Scope) -> list[tuple[str, str]]:
    """Return the decoded query; bytes that are not UTF-8 become surrogates, for the signature."""
    return parse_qsl(
        scope["query_string"].decode("utf-8", "surrogateescape"),
        keep_blank_values=True,
        errors="surrogateescape",
    )


async def read_body(receive: Receive, headers: Mapping[str, str], kind: str | None) -> bytes | None:
    """Return the body; None if the client disconnected before its end."""
    max_size = MAX_BODY_SIZES[kind]
    declared = headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 15 or int(declared) > max_size):
        raise _too_large(max_size)
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > max_size:
            raise _too_large(max_size)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(max_size: int) -> Refusal:
    return Refusal(
        TOO_LARGE,
        f"The body is larger than {max_size // MEGABYTE} MB.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
