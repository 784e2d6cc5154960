"""A server that answers every request alike, fast enough that the client is what is measured."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = (
    b'{"code":0,"message":"Success","request_id":"202611240001",'
    b'"data":{"cancel_id":"4035318504086604017","cancel_status":"CANCELLATION_REQUEST_SUCCESS"}}'
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
) + ANSWER


class Answering(asyncio.Protocol):
    """Answers when a request is complete."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request of which all bytes are here."""
        self._received += data
        while True:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            _, _, length = head.lower().partition(b"\r\ncontent-length:")
            size = int(length.partition(b"\r\n")[0] or 0)
            if len(rest) < size:
                return
            self._received = rest[size:]
            self._transport.write(RESPONSE)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until whoever started it is gone
    server.close()


@contextmanager
def running() -> Iterator[str]:
    """Run it in a process of its own, on another core than ours where that can be told."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    cores: set[int] = set()
    if hasattr(os, "sched_setaffinity"):
        cores = os.sched_getaffinity(0)
        if len(cores) > 1:
            first, second = sorted(cores)[:2]
            os.sched_setaffinity(0, {first})
            os.sched_setaffinity(process.pid, {second})
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(5)
        process.stdout.close()
        if cores:
            os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    asyncio.run(main())
