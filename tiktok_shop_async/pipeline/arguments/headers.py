"""Headers that a caller adds to a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from ...errors import InvalidArgumentError

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]

_RESERVED = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "content-type"}
    | {"expect", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "x-tts-access-token"}
)
"""Headers that frame, sign or decode the body: only the client sets them."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def encode_headers(extra: Mapping[str, str]) -> Headers:
    """Return extra headers as bytes; reject reserved and invalid ones.

    Names that differ only in case are one header: the last one is sent.
    """
    headers = {}
    for name, value in extra.items():
        header = _encode(name, value)
        headers[header[0].lower()] = header
    return tuple(headers.values())


def merge_headers(headers: Headers, defaults: Headers) -> list[tuple[bytes, bytes]]:
    """Return ``headers``, preceded by the ``defaults`` that they do not replace."""
    names = {name.lower() for name, _ in headers}
    return [*(default for default in defaults if default[0] not in names), *headers]


def _encode(name: str, value: str) -> tuple[bytes, bytes]:
    if name.lower() in _RESERVED:
        raise InvalidArgumentError(
            f"the header {name} is set by the client and cannot be replaced.",
            argument="extra_headers",
        )
    if (
        not (_NAME.fullmatch(name) and _VALUE.fullmatch(value))
        or value != value.strip(" \t")  # in HTTP, whitespace around a value is not part of it
    ):
        raise InvalidArgumentError(
            f"the header {name!r} is not valid HTTP.", argument="extra_headers"
        )
    return name.encode("ascii"), value.encode("latin-1")
