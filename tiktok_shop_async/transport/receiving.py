"""The receiving of a response: its body is read completely, within a size limit."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import httpx

from .._internal.threads import in_thread
from ..client_options import DEFAULT_MAX_RESPONSE_BYTES
from ..errors import ResponseDecodeError
from ..response import RawResponse, content_encodings, request_id_of
from .content_encoding import ContentDamagedError, ContentTooLargeError, decode_content

logger = logging.getLogger("tiktok_shop_async.transport")

P = ParamSpec("P")
T = TypeVar("T")

MAX_INLINE_BYTES: Final = 1_000_000
"""Maximum bytes that are decoded on the event loop; larger bodies are decoded in a thread."""


async def receive(
    response: httpx.Response, operation: str, limit: int = DEFAULT_MAX_RESPONSE_BYTES
) -> RawResponse:
    """Read the body of ``response``, and close the response in any case.

    Raises:
        ResponseDecodeError: The body is damaged, or larger than ``limit`` bytes before or after
            decompression. Then the rest is not read, and the connection is closed.
    """
    try:
        if response.is_stream_consumed:  # an event hook has read it through httpx's decoder
            body = await response.aread()
            if len(body) > limit:
                raise ContentTooLargeError
        else:
            body = await _read(response, limit)
            if body and "content-encoding" in response.headers:
                body = await _decode(body, content_encodings(response.headers), limit)
    except (ContentTooLargeError, ContentDamagedError) as error:
        raise _unreadable(error, response, operation, limit) from None
    finally:
        await _close(response)
    return RawResponse(response.status_code, response.headers, body)


async def _close(response: httpx.Response) -> None:
    """Close ``response``; only log a failure, because the body was received."""
    try:
        await response.aclose()
    except Exception:
        logger.warning("failed to close a response", exc_info=True)


async def _read(response: httpx.Response, limit: int) -> bytes:
    """Return the body as it was sent, without httpx's four layers of iterators."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = bytearray()  # a list of many small parts would take much more memory
    async for part in response.stream:
        body += part
        if len(body) > limit:
            raise ContentTooLargeError
    return bytes(body)


async def _decode(body: bytes, encodings: list[str], limit: int) -> bytes:
    if len(body) <= MAX_INLINE_BYTES:
        try:
            return decode_content(body, encodings, min(limit, MAX_INLINE_BYTES))
        except ContentTooLargeError:
            if limit <= MAX_INLINE_BYTES:
                raise
    return await run_off_loop(decode_content, body, encodings, limit)


async def run_off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``function`` in a thread, or on the event loop if no thread can be started.

    The response was received, so a lack of threads must not raise an error.
    """
    try:
        return await in_thread(function, *args, **kwargs)
    except RuntimeError:
        return function(*args, **kwargs)


def _unreadable(
    error: Exception, response: httpx.Response, operation: str, limit: int
) -> ResponseDecodeError:
    if isinstance(error, ContentTooLargeError):
        message = f"the response is larger than max_response_bytes, which is {limit:,}."
        hint = "Request less, such as a smaller page_size, or raise max_response_bytes."
    else:
        encodings = ", ".join(content_encodings(response.headers))
        message = f"the response's body is not valid {encodings}: {error}."
        hint = "Check the proxies in between."
    return ResponseDecodeError(
        message,
        operation=operation,
        http_status=response.status_code,
        request_id=request_id_of(response.headers),
        hint=hint,
    )
