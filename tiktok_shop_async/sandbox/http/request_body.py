"""A request read off an ASGI scope, with a bound on its body."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope

from ..error_responses import TOO_LARGE, Refusal

MEGABYTE = 1024 * 1024
LARGEST_BODY = {None: MEGABYTE, "json": 4 * MEGABYTE, "multipart": 110 * MEGABYTE}
"""Kind of body -> the most bytes of one; our choice, but room for the largest video."""


def path_of(scope: Scope) -> str:
    """Return the decoded path."""
    path: str = scope["path"]
    return path


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers by lowercase name; of a repeated one, the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def query_pairs_of(scope: Scope) -> list[tuple[str, str]]:
    """Return the decoded query; bytes that are not UTF-8 become surrogates, as signing needs it."""
    return parse_qsl(
        scope["query_string"].decode("utf-8", "surrogateescape"),
        keep_blank_values=True,
        errors="surrogateescape",
    )


async def read_body(receive: Receive, headers: Mapping[str, str], kind: str | None) -> bytes | None:
    """Return the body; None when the client left before its end."""
    largest = LARGEST_BODY[kind]
    announced = headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 15 or int(announced) > largest):
        raise _too_large(largest)
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > largest:
            raise _too_large(largest)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(largest: int) -> Refusal:
    return Refusal(
        TOO_LARGE,
        f"The body is larger than {largest // MEGABYTE} MB.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
