"""The clients that others wrote: where they are installed, and a process that drives one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from tiktok_shop_async.sandbox import Sandbox

HERE = Path(__file__).parent
ROOM = Path(os.environ.get("FOREIGN_CLIENTS", HERE.parent.parent / "build" / "foreign"))
MODULES = ROOM / "node" / "node_modules"
PYTHON = ROOM / "venv" / "bin" / "python"

Outcome = dict[str, Any]
"""``answer``, or ``code`` and ``message`` of the error that was raised."""


async def npm_client(shop: Sandbox, *calls: Any, cipher: bool = True) -> list[Outcome]:
    """Make calls with tiktok-shop-sdk; its base URL is fixed, so its ``fetch`` is routed."""
    node = shutil.which("node")
    if node is None or not (MODULES / "tiktok-shop-sdk").is_dir():
        _missing("Node with the npm package tiktok-shop-sdk")
    command = (node or "", "--import", HERE / "route_fetch.mjs", HERE / "drive.mjs")
    return await _drive(command, shop, calls, cipher=cipher)


async def pypi_client(shop: Sandbox, *calls: Any, cipher: bool = True) -> list[Outcome]:
    """Make calls with tiktok-shop-api."""
    if not (ROOM / "venv" / ".has-all").exists():
        _missing("the PyPI package tiktok-shop-api")
    return await _drive((PYTHON, HERE / "drive.py"), shop, calls, cipher=cipher)


async def _drive(
    command: tuple[str | Path, ...], shop: Sandbox, calls: tuple[Any, ...], *, cipher: bool
) -> list[Outcome]:
    credentials = {
        "app_key": shop.app_key,
        "app_secret": shop.app_secret,
        "access_token": shop.access_token,
        "shop_cipher": shop.shop_cipher if cipher else None,
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        env={  # no more, so that no proxy has a part in it
            "PATH": os.environ["PATH"],
            "SHOP_ORIGIN": shop.base_url,
            "NODE_MODULES": f"{MODULES.resolve()}/",
        },
    )
    task = json.dumps({"credentials": credentials, "calls": calls}).encode()
    output, _ = await process.communicate(task)
    assert process.returncode == 0
    outcomes: list[Outcome] = json.loads(output)
    return outcomes


def _missing(what: str) -> None:
    reason = f"{what} is not installed in {ROOM}: scripts/test does that"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
