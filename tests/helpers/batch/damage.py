"""A service whose responses are lost, doubled or damaged; its own record says what it has done."""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs
import httpx
from helpers.client import envelope

REFUSED, THROTTLED = 25001021, 36009002
FATES = {
    "answered": 0.55,
    "lost before": 0.08,
    "lost after": 0.08,
    "damaged": 0.18,
    "doubled": 0.05,
    "throttled": 0.06,
}
"""What happens to requests; all but those lost before and throttled ones are processed."""


@attrs.frozen
class Arrival:
    """A request as the service has it on record."""

    batch: str
    id: str
    key: str
    """Its idempotency key."""
    fate: str

    @property
    def processed(self) -> bool:
        """Whether it took effect."""
        return self.fate not in {"lost before", "throttled", "refused"}


class Record:
    """A file with a line for each request that arrived; it survives processes that are killed."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_CREAT | os.O_RDWR | os.O_APPEND)
        self._path = file

    def note(self, arrival: Arrival) -> None:
        os.write(self._file, (json.dumps(attrs.astuple(arrival)) + "\n").encode())

    def arrivals(self) -> dict[tuple[str, str], list[Arrival]]:
        """Return what arrived, by batch and id, in its order."""
        found: dict[tuple[str, str], list[Arrival]] = defaultdict(list)
        for line in self._path.read_text().splitlines():
            arrival = Arrival(*json.loads(line))
            found[arrival.batch, arrival.id].append(arrival)
        return found


@attrs.define
class Service:
    """Decides what becomes of each request; the same over a socket and in process."""

    record: Record
    chance: Random
    has_faults: bool = True

    async def take(self, path: str, query: httpx.QueryParams, body: bytes) -> tuple[str, bytes]:
        """Process a request; return its fate, and the response's body as it should be."""
        await asyncio.sleep(self.chance.random() / 200)
        batch = query["test_batch"]
        id_ = path.split("/")[-2] if batch == "keyed" else json.loads(body)["order_id"]
        fate = "answered"
        if int(id_) % 13 == 0:
            fate = "refused"
        elif self.has_faults:
            (fate,) = self.chance.choices([*FATES], [*FATES.values()])
        self.record.note(Arrival(batch, id_, query.get("idempotency_key", ""), fate))
        await asyncio.sleep(self.chance.random() / 200)
        code = {"refused": REFUSED, "throttled": THROTTLED}.get(fate, 0)
        return fate, json.dumps(envelope({}, code=code)).encode()

    def damaged(self, response: bytes) -> bytes:
        """Return other bytes than those of the response, but none that mean something else.

        Nobody could tell those from a response of the service.
        """
        while True:
            found = bytearray(response)
            for _ in range(self.chance.randint(1, 3)):
                place = self.chance.randrange(len(found) + 1)
                junk = self.chance.randbytes(self.chance.randint(0, 3))
                found[place : place + self.chance.randint(0, 3)] = junk
            if self.chance.random() < 0.3:
                del found[self.chance.randrange(len(found) + 1) :]
            if bytes(found) != response and code_in(found) in {None, code_in(response)}:
                return bytes(found)

    # In process -----------------------------------------------------------------------------------

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        fate, body = await self.take(request.url.path, request.url.params, request.content)
        if fate.startswith("lost"):
            raise httpx.ReadError("reset")
        if fate == "damaged":
            body = self.damaged(body)
        return httpx.Response(200, headers={"content-type": "application/json"}, content=body)

    # On a socket ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Serve on a port, and give its URL."""
        writers: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            try:
                while await self._answer(reader, writer):
                    pass
            except (OSError, asyncio.IncompleteReadError):
                pass  # the process was killed
            finally:
                writer.close()
                writers.discard(writer)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for writer in [*writers]:
                writer.close()
            await asyncio.sleep(0.01)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; False if the connection ends with it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        lengths = [line for line in head if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0].split(":")[1])) if lengths else b""
        url = httpx.URL(head[0].split(" ")[1])
        fate, content = await self.take(url.path, url.params, body)
        if fate.startswith("lost"):
            return False
        response = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(content), content)
        )
        if fate == "damaged":
            response = self.damaged(response)
        writer.write(response * (2 if fate == "doubled" else 1))
        await writer.drain()
        return fate != "damaged"


def code_in(response: bytes | bytearray) -> Any:
    """Return the code of an envelope, with or without a head; None if there is none to be read."""
    body = bytes(response).rpartition(b"\r\n\r\n")[2]
    try:
        return json.loads(body)["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
