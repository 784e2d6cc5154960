"""A call that fails on a real connection leaves no reference cycle."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

import pytest
from helpers.client import new_client

from tiktok_shop_async import TikTokShopError

RESPONSES = {
    "lost": b"",
    "cut": b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "no envelope": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    "excess": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n" + b'{"code":0}' * 2,
}


@contextmanager
def serving(response: bytes) -> Iterator[str]:
    """Answer from a thread, so that the server leaves nothing in the test's own loop."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(response)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


async def left_by_failures(base_url: str) -> list[str]:
    """Return what only the garbage collector would free after some calls.

    The event loop's own objects do not count: each of asyncio's transports refers to itself.
    """
    async with new_client(base_url=base_url, trust_env=False, timeout=5.0) as client:

        async def fail(order: str) -> None:
            with suppress(TikTokShopError):
                await client.return_refund.cancel_order(order_id=order, cancel_reason="x")
            with suppress(TikTokShopError):
                await client.order.get_order_detail(ids=[order])

        await fail("1")  # the first one fills caches
        await asyncio.sleep(0.01)  # until what was closed is gone
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for order in range(10):
                await fail(str(order))
            await asyncio.sleep(0.01)
            gc.collect()
            return [repr(each) for each in gc.garbage if is_ours(each)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()


def is_ours(each: object) -> bool:
    module = type(each).__module__.partition(".")[0]
    kinds = (BaseException, FrameType, TracebackType)
    return isinstance(each, kinds) or module in ("tiktok_shop_async", "httpx", "h11")


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
async def test_after_a_response_that_is_none(response: bytes) -> None:
    with serving(response) as base_url:
        assert await left_by_failures(base_url) == []


async def test_after_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert await left_by_failures(f"http://127.0.0.1:{port}") == []
