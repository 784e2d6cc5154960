"""Content encodings of a response's body, undone within a limit.

httpx's own decoders know no limit, stop at the first of several gzip members, and take a body that
was cut off for a complete one.
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
    """The body does not decode to its end."""


def decode_content(body: bytes, encodings: Sequence[str], limit: int) -> bytes:
    """Return ``body`` with ``encodings`` undone, the last one first.

    A body that obviously does not have the encoding that its header names is returned as it is, and
    so is one of an unknown encoding: its reader finds out whether it makes sense.

    Raises:
        ContentTooLargeError: It is larger than ``limit`` bytes, and decoding stopped there.
        ContentDamagedError: It is damaged, or ends early.
    """
    for encoding in reversed(encodings):
        match encoding.lower():
            case "gzip" | "x-gzip":
                body = _gunzipped(body, limit)
            case "deflate":
                body = _inflated(body, limit)
            case "identity" | "":
                pass
            case _:
                break
    return body


def _gunzipped(body: bytes, limit: int) -> bytes:
    if not body.startswith(_GZIP_MAGIC):
        return body
    decoded, at = bytearray(), 0
    # Members follow each other; padding after the last one is not part of the content.
    while body.startswith(_GZIP_MAGIC, at):
        try:
            at = _decompress(body, at, _GZIP, decoded, limit)
        except zlib.error as error:
            raise ContentDamagedError(str(error)) from None
    return bytes(decoded)


def _inflated(body: bytes, limit: int) -> bytes:
    for wbits in (_ZLIB, _RAW_DEFLATE):  # RFC 9110 means the former; some servers send the latter
        decoded = bytearray()
        try:
            _decompress(body, 0, wbits, decoded, limit)
        except zlib.error:
            continue
        return bytes(decoded)
    return body


def _decompress(body: bytes, at: int, wbits: int, decoded: bytearray, limit: int) -> int:
    """Append the decompressed stream at ``at`` in ``body``; return where the stream ends."""
    stream, view = zlib.decompressobj(wbits), memoryview(body)
    while not stream.eof:
        chunk = view[at : at + _CHUNK]
        if not chunk:
            raise zlib.error("it ends early")
        decoded += stream.decompress(chunk, limit - len(decoded) + 1)
        if len(decoded) > limit:
            raise ContentTooLargeError
        at += len(chunk) - len(stream.unused_data)
    return at
