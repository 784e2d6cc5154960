"""Bodies of unsigned requests, with a size limit."""

from __future__ import annotations

from starlette.requests import Request

MAX_BODY = 1024 * 1024


class BodyTooLargeError(ValueError):
    """A body above the size limit."""


async def bounded_body(request: Request) -> bytes:
    """Return the body; stop reading once it is above the limit."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise BodyTooLargeError(f"the body must have at most {MAX_BODY} bytes")
    return bytes(content)
