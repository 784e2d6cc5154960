"""The TypeScript SDK, in a Node process that measures itself when asked."""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

MODULES = Path(os.environ.get("BENCH_NODE_MODULES", "build/bench/node/node_modules"))

SecondsPerCall = Callable[[int, int], Awaitable[float]]


@asynccontextmanager
async def running(origin: str) -> AsyncIterator[SecondsPerCall | None]:
    """Yield what measures ``count`` calls, so many in flight; None without Node or the SDK."""
    node = shutil.which("node")
    if node is None or not (MODULES / "tiktok-shop-sdk").exists():
        yield None
        return
    script = Path(__file__).with_name("node.mjs")
    process = await asyncio.create_subprocess_exec(
        node, str(script), origin, f"{MODULES.resolve()}/", stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    async def seconds_per_call(count: int, in_flight: int) -> float:
        stdin.write(f"{count} {in_flight}\n".encode())
        return float(await stdout.readline())

    try:
        yield seconds_per_call
    finally:
        stdin.close()
        await process.wait()
