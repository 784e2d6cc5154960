"""The example, run as its reader runs it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from helpers.auth.databases import REDIS_URL, redis_prefix

EXAMPLE = Path(__file__).parents[2] / "examples" / "taskiq_cancel.py"


async def test_the_example_cancels_all_orders_of_a_local_shop_and_its_record_agrees() -> None:
    environment = {**os.environ, "COLUMNS": "200", "REDIS_URL": REDIS_URL}
    async with redis_prefix(), asyncio.timeout(180):  # skips without a server
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, EXAMPLE, "--orders", "80"),
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
        )
        said, complaints = (each.decode() for each in await running.communicate())
    assert running.returncode == 0, said + complaints
    assert "confirmed" in said
    assert "none twice" in said
    assert complaints == ""
