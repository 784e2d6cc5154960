"""Connections that are reset or closed instead of a complete response."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Any, cast

import httpx
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_KEY = "sandbox_transport"
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""SO_LINGER with a time of 0: the kernel sends RST in place of FIN."""


class SandboxProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with access to the connection for the application."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Add the transport to the state of the requests on the connection."""
        super().connection_made(cast(asyncio.Transport, transport))
        self.app_state = {**self.app_state, _KEY: transport}


async def drop(
    scope: Scope, receive: Receive, send: Send, *, reset: bool, started: bool = False
) -> None:
    """Close the connection, by RST if ``reset``, without sending more of the response.

    Without a connection, as in ``httpx.ASGITransport``, raise the httpx error that a client gets on
    a real port.
    """
    transport: asyncio.Transport | None = scope.get("state", {}).get(_KEY)
    if transport is None:
        await _fail(send, reset=reset, started=started)
    elif reset:
        sock: Any = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    else:
        transport.close()
    # If the application ended before the server noticed, the server would send a response.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _fail(send: Send, *, reset: bool, started: bool) -> None:
    """Raise in the middle of a response, upon which every ASGI server closes the connection."""
    if not started:
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
    if reset:
        raise httpx.ReadError("The sandbox reset the connection.")
    raise httpx.RemoteProtocolError(
        "The sandbox closed the connection before the end of the response."
    )
