"""A service whose attempts end as in a cell of the table, in process or over real sockets."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from outcomes.stubs import StubAuthorization, hang, settled
from outcomes.table import Cell, Earlier, End, Meanwhile
from servers import Peer
from support import envelope, new_client

from tiktok_shop_async import AsyncTikTokShop, LeaseLostError, ReauthorizationRequiredError

ODD_DATA = {"cancel_id": {"odd": []}, "orders": 5, "return_id": [[]]}
RESPONSES: dict[End, tuple[int, bytes]] = {
    End.DAMAGED: (200, b'{"code":0,"data":{"cancel_id":"1'),
    End.GATEWAY: (502, b"<html>Bad Gateway</html>"),
} | {
    end: (status, json.dumps(envelope(data, code=code, message=message)).encode())
    for end, status, code, message, data in (
        (End.GATEWAY_401, 401, 0, "Success", {}),
        (End.INTERNAL, 200, 36009003, "Internal error", None),
        (End.UNLISTED, 200, 99999999, "system error", None),
        (End.REFUSED, 200, 25001021, "Reason does not fit", None),
        (End.FORBIDDEN, 403, 105005, "no scope", None),
        (End.EXPIRED, 401, 105002, "expired", None),
        (End.THROTTLED, 429, 36009002, "Too many requests", None),
        (End.QUOTA, 429, 36009037, "quota", None),
        (End.ODD, 200, 0, "Success", ODD_DATA),
        (End.SUCCEEDED, 200, 0, "Success", {}),
    )
}
WIRE_ONLY = (End.HANDSHAKE, End.CONNECTING, End.PARTLY, End.BROKEN_OFF)
"""Ends that require a connection, which an in-process transport does not have."""
WAITS = (Meanwhile.DEADLINE, Meanwhile.CANCELLED, Meanwhile.CLOSED)
DEADLINE, TIMEOUT = 3600.0, 77.0
"""Seconds that never pass: the tests expire these timers themselves."""


class Timers:
    """All timers of `asyncio.timeout`, which tests expire."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._made: list[asyncio.Timeout] = []
        self._delays: list[float | None] = []
        new = asyncio.timeout

        def timeout(delay: float | None) -> asyncio.Timeout:
            timer = new(delay)
            self._made.append(timer)
            self._delays.append(delay)
            return timer

        monkeypatch.setattr(asyncio, "timeout", timeout)

    def expire(self, delay: float) -> None:
        """Expire the timers with this number of seconds."""
        for timer, each in zip(self._made, self._delays, strict=True):
            if each == delay:
                with suppress(RuntimeError):  # it is over
                    timer.reschedule(asyncio.get_running_loop().time())


class Service:
    """The state of a cell: the next attempt, and the event during or after the attempt."""

    def __init__(self, cell: Cell, timers: Timers) -> None:
        earlier = {
            Earlier.NONE: [],
            Earlier.UNPROCESSED: [End.THROTTLED],
            Earlier.LOST: [End.NO_RESPONSE],
        }
        self.cell = cell
        self.timers = timers
        self.ends = [*earlier[cell.earlier], cell.end]
        self.position = 0
        self.arrived = 0
        """The complete requests that the service received."""
        self.moment = asyncio.Event()
        """Set when the call has reached the point at which it is interrupted."""
        self.may_answer = asyncio.Event()
        self.authorization = StubAuthorization()
        self.authorization.on_replace = self._replace
        self.authorization.on_reload = self._reload

    @property
    def end(self) -> End:
        """The end of the current attempt."""
        return self.ends[self.position] if self.position < len(self.ends) else End.SUCCEEDED

    @property
    def expected_arrivals(self) -> int:
        lost = (End.NOT_CONNECTED, End.HANDSHAKE, End.CONNECTING, End.PARTLY)
        return sum(end not in lost for end in self.ends)

    def client_options(self) -> dict[str, Any]:
        meanwhile = self.cell.meanwhile
        is_last = meanwhile is Meanwhile.NO_RETRY_LEFT
        return {
            "auth": self.authorization.state(),
            "max_retries": len(self.ends) - 1 if is_last else 5,
            "deadline": DEADLINE if meanwhile is Meanwhile.DEADLINE else None,
            "timeout": TIMEOUT,
            "sleep": self._sleep,
            "retry_policy": self._policy,
        }

    def before_sending(self) -> None:
        """Reject the retry, like a journal whose lease is lost."""
        if self.cell.meanwhile is Meanwhile.LEASE_LOST and self.position == len(self.ends):
            raise LeaseLostError("another process has it.")

    async def interrupt(self, client: AsyncTikTokShop, task: asyncio.Task[Any]) -> None:
        """Run the event of the cell as soon as the call has reached its point."""
        if self.cell.meanwhile not in WAITS:
            return
        moment = asyncio.ensure_future(self.moment.wait())
        await asyncio.wait([moment, task], timeout=10, return_when=asyncio.FIRST_COMPLETED)
        moment.cancel()
        await settled()
        if self.cell.meanwhile is Meanwhile.DEADLINE:
            self.timers.expire(DEADLINE)
        elif self.cell.meanwhile is Meanwhile.CANCELLED:
            task.cancel()
        else:
            await client.aclose()
            self.may_answer.set()

    async def prepare(self) -> None:
        """Prepare the next attempt."""

    def _policy(self, _: Any) -> float:
        if self.cell.meanwhile is Meanwhile.CALLBACK_RAISES and self._is_at_the_cell:
            raise ValueError("a bug of the policy")
        return 1.0

    @property
    def _is_at_the_cell(self) -> bool:
        return self.position == len(self.ends) - 1

    async def _sleep(self, _: float) -> None:
        await self._attempt_ended()

    async def _attempt_ended(self) -> None:
        waits = self._is_at_the_cell and self.cell.meanwhile in WAITS
        self.position += 1
        if waits:
            self.moment.set()
            await hang()
        await self.prepare()

    async def _replace(self) -> None:
        await self._attempt_ended()
        if self.cell.meanwhile is Meanwhile.REFRESH_FAILED:
            raise ReauthorizationRequiredError("the refresh token is dead.")
        if self.cell.meanwhile is Meanwhile.TOKEN_REFRESHED:
            await self.authorization.renewed()

    async def _reload(self) -> None:
        await self._attempt_ended()
        if self.cell.meanwhile is Meanwhile.OTHER_TOKEN:
            await self.authorization.renewed()


class InProcess(Service):
    """The service as a handler of httpx's own mock transport."""

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncTikTokShop]:
        async with new_client(httpx.MockTransport(self._handle), **self.client_options()) as client:
            yield client

    async def _handle(self, _: httpx.Request) -> httpx.Response:
        end = self.end
        if end is End.NOT_CONNECTED:
            raise httpx.ConnectError("refused")
        self.arrived += 1
        if end is End.NO_RESPONSE:
            raise httpx.ReadError("reset")
        if end is End.TIMEOUT:
            raise httpx.ReadTimeout("late")
        if end is End.HANGING:
            self.moment.set()
            await self.may_answer.wait()
            end = End.SUCCEEDED
        status, body = RESPONSES[end]
        return httpx.Response(status, content=body)


class OnTheWire(Service):
    """The service on its own port, with one connection for each attempt."""

    contexts: Callable[[], tuple[ssl.SSLContext, ssl.SSLContext]]
    """Return the TLS contexts of a server and of a client, created once."""

    def __init__(self, cell: Cell, timers: Timers) -> None:
        super().__init__(cell, timers)
        self._port = 0
        self._listener: asyncio.Server | None = None
        self._mode = ""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_tls = cell.end in (End.HANDSHAKE, End.CONNECTING)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncTikTokShop]:
        await self._listen("plain")  # finds a port
        await self.prepare()
        scheme = "https" if self._is_tls else "http"
        base_url = f"{scheme}://127.0.0.1:{self._port}"
        _, context = OnTheWire.contexts()
        try:
            async with new_client(
                base_url=base_url, verify=context, **self.client_options()
            ) as client:
                yield client
        finally:
            await self._listen("nobody")
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def prepare(self) -> None:
        if self.end is End.NOT_CONNECTED:
            await self._listen("nobody")
        elif self.end in (End.HANDSHAKE, End.CONNECTING) or not self._is_tls:
            await self._listen("plain")
        else:
            await self._listen("tls")

    async def _listen(self, mode: str) -> None:
        if mode == self._mode:
            return
        self._mode = mode
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if mode != "nobody":
            context = OnTheWire.contexts()[0] if mode == "tls" else None
            self._listener = await asyncio.start_server(
                self._handle, "127.0.0.1", self._port, ssl=context, limit=2**23
            )
            self._port = self._listener.sockets[0].getsockname()[1]

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(Peer(0, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, peer: Peer) -> None:
        end = self.end
        if end is End.CONNECTING:
            self.moment.set()
            await hang()
        if end is End.HANDSHAKE:
            await peer.reader.read(1)  # of the client's hello
            return
        if end is End.PARTLY:
            await peer.reader.readexactly(1000)
            return
        if not await peer.request():
            return
        self.arrived += 1
        if end is End.NO_RESPONSE:
            return
        if end is End.TIMEOUT:
            await settled()
            self.timers.expire(TIMEOUT)
            await hang()
        if end is End.HANGING:
            self.moment.set()
            await self.may_answer.wait()
            end = End.SUCCEEDED
        status, body = RESPONSES.get(end, (200, b"{"))
        length = len(body) + (100 if end is End.BROKEN_OFF else 0)
        head = b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % (
            status,
            length,
        )
        await peer.answer(head + body)
        peer.writer.close()
        await peer.writer.wait_closed()
