"""The decoding of content encodings, such as gzip, within a size limit.

httpx's own decoders have no limit, stop after the first of several gzip members, and accept a
truncated body.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP, _ZLIB, _RAW_DEFLATE = 31, 15, -15
_CHUNK = 16 * 1024


class ContentTooLargeError(Exception):
    """The decoded body exceeds the limit."""


class ContentDamagedError(Exception):
    """The body is damaged or truncated."""


def decode_content(body: bytes, encodings: Sequence[str], limit: int) -> bytes:
    """Return ``body`` with ``encodings`` removed, the last one first.

    A body in an unknown encoding is returned unchanged, as is one that obviously does not have the
    encoding that its header names.

    Raises:
        ContentTooLargeError: The decoded body is larger than ``limit`` bytes.
        ContentDamagedError: The body is damaged or truncated.
    """
    for encoding in reversed(encodings):
        match encoding.lower():
            case "gzip" | "x-gzip":
                body = _gunzip(body, limit)
            case "deflate":
                body = _inflate(body, limit)
            case "identity" | "":
                pass
            case _:
                break
    return body


def _gunzip(body: bytes, limit: int) -> bytes:
    if not body.startswith(_GZIP_MAGIC):
        return body
    decoded, at = bytearray(), 0
    # Bytes after the last member are padding.
    while body.startswith(_GZIP_MAGIC, at):
        try:
            at = _decompress(body, at, _GZIP, decoded, limit)
        except zlib.error as error:
            raise ContentDamagedError(str(error)) from None
    return bytes(decoded)


def _inflate(body: bytes, limit: int) -> bytes:
    for wbits in (_ZLIB, _RAW_DEFLATE):  # RFC 9110 defines zlib; some servers send raw deflate
        decoded = bytearray()
        try:
            _decompress(body, 0, wbits, decoded, limit)
        except zlib.error:
            continue
        return bytes(decoded)
    return body


def _decompress(body: bytes, at: int, wbits: int, decoded: bytearray, limit: int) -> int:
    """Append the decompressed stream at ``at`` in ``body``; return the position after it."""
    stream, view = zlib.decompressobj(wbits), memoryview(body)
    while not stream.eof:
        chunk = view[at : at + _CHUNK]
        if not chunk:
            raise zlib.error("it is truncated")
        decoded += stream.decompress(chunk, limit - len(decoded) + 1)
        if len(decoded) > limit:
            raise ContentTooLargeError
        at += len(chunk) - len(stream.unused_data)
    return at
