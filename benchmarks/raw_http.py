"""Requests made beforehand, sent over a few connections: a client that costs next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import httpx


async def send_all(
    requests: Iterable[bytes], base_url: str, *, connections: int, check: Callable[[bytes], object]
) -> None:
    """Have all requests answered, side by side; ``check`` gets status line and body of each."""
    url = httpx.URL(base_url)
    left = iter(requests)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        for request in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            check(head.partition(b"\r\n")[0] + b"\r\n" + await reader.readexactly(size))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(connection() for _ in range(connections)))


def encoded(request: httpx.Request) -> bytes:
    """Return a request as it goes over the wire."""
    headers = b"".join(b"%b: %b\r\n" % header for header in request.headers.raw)
    target = request.url.raw_path
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (
        request.method.encode(),
        target,
        headers,
        request.content,
    )
