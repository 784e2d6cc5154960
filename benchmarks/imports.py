"""What an import costs: time and modules, in fresh processes with warm bytecode."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from functools import partial

from .harness import HTTPX, OURS, PEER, Goal, Table, medians

ROUNDS = 21
PROGRAMS = {
    HTTPX: "import httpx",
    OURS: "import tiktok_shop_async; tiktok_shop_async.AsyncTikTokShop('key', 'secret')",
    PEER: "import tiktok_shop_api; tiktok_shop_api.AsyncTikTokShop('key', 'secret')",
}
TIMED = """
import json, sys, time
before, start = set(sys.modules), time.perf_counter()
{program}
taken = time.perf_counter() - start
print(json.dumps([taken, len(set(sys.modules) - before)]))
"""


async def run(code: str, *arguments: str) -> str:
    """Run ``code`` in a new interpreter, which may write bytecode, and return what it prints."""
    skipped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in skipped}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", code, *arguments, env=environment, stdout=PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"a measured program failed with status {process.returncode}")
    return output.decode()


async def measure() -> list[Table]:
    modules = {}

    async def milliseconds(name: str) -> float:
        taken, modules[name] = json.loads(await run(TIMED.format(program=PROGRAMS[name])))
        return 1e3 * float(taken)

    for name in PROGRAMS:  # bytecode
        await milliseconds(name)
    figures = await medians({name: partial(milliseconds, name) for name in PROGRAMS}, ROUNDS)
    note = "Modules loaded: " + ", ".join(f"{name} {count}" for name, count in modules.items())
    goals = [Goal(OURS, HTTPX, 1.25)]
    return [Table("Import and client creation", "ms", figures, goals, [f"{note}."])]
