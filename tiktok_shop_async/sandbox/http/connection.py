"""The connection below a request: how it is reset, closed, and left in the middle of an answer."""

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
    """uvicorn's protocol, which also lets the application at the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put the transport into the state that each request of the connection brings along."""
        super().connection_made(cast(asyncio.Transport, transport))
        self.app_state = {**self.app_state, _KEY: transport}


async def drop(
    scope: Scope, receive: Receive, send: Send, *, reset: bool, started: bool = False
) -> None:
    """End the connection as it is, by RST if ``reset``; the client gets no more of an answer.

    Where there is no connection of ours, as inside ``httpx.ASGITransport``, an httpx error is
    raised: the client sees the same as on a real port.
    """
    transport: asyncio.Transport | None = scope.get("state", {}).get(_KEY)
    if transport is None:
        await _give_up(send, reset=reset, started=started)
    elif reset:
        sock: Any = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    else:
        transport.close()
    # The server must have noticed before the application ends, or it would try to answer.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _give_up(send: Send, *, reset: bool, started: bool) -> None:
    """Leave by an error in mid-answer, on which every ASGI server closes the connection."""
    if not started:
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
    if reset:
        raise httpx.ReadError("The sandbox reset the connection.")
    raise httpx.RemoteProtocolError("The sandbox closed the connection before its answer's end.")
