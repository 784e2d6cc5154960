"""The clients that others wrote: where they are installed, and a process that drives each."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tiktok_shop_async.sandbox import Sandbox

HERE = Path(__file__).parent
ROOM = Path(os.environ.get("FOREIGN_CLIENTS", HERE.parent.parent / "build" / "foreign"))
MODULES = ROOM / "node" / "node_modules"

Outcome = dict[str, Any]
"""``answer``, or ``code`` and ``message`` of the error that was raised."""


async def npm_client(shop: Sandbox, *calls: Any, cipher: bool = True) -> list[Outcome]:
    """Make calls with tiktok-shop-sdk; its base URL is fixed, so its ``fetch`` is routed."""
    command = (*_node("tiktok-shop-sdk"), HERE / "drive.mjs")
    return await _drive(command, shop, calls, cipher=cipher)


async def tiktok_shop_client(shop: Sandbox, *calls: Any, cipher: bool = True) -> list[Outcome]:
    """Make calls with tiktok-shop-client; its hosts are fixed, so its requests are routed."""
    command = (*_node("tiktok-shop-client"), HERE / "drive_client.mjs")
    return await _drive(command, shop, calls, cipher=cipher)


async def pypi_client(shop: Sandbox, *calls: Any, cipher: bool = True) -> list[Outcome]:
    """Make calls with tiktok-shop-api."""
    python = _python("venv", "tiktok-shop-api")
    return await _drive((python, HERE / "drive.py"), shop, calls, cipher=cipher)


async def tiktok_shop_mcp(shop: Sandbox, shops_file: Path, *calls: Any) -> list[Outcome]:
    """List the tools of tiktok-shop-mcp, then call some; its hosts are fixed, so it is routed.

    ``shops_file`` is its configuration, to which it writes refreshed tokens.
    """
    python = _python("mcp", "tiktok-shop-mcp")
    return await _drive(
        (python, HERE / "drive_mcp.py"), shop, calls, TIKTOK_SHOP_CONFIG=str(shops_file)
    )


class TikTokShopSigner:
    """The npm package tiktok-shop, kept running: signing needs many calls."""

    def __init__(self, shop_origin: str = "http://127.0.0.1:9") -> None:
        self._process = subprocess.Popen(  # noqa: S603
            (*_node("tiktok-shop"), HERE / "drive_signer.mjs"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(shop_origin),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()
        assert self._process.returncode == 0

    def call(self, method: str, *arguments: Any, config: Any = None) -> Outcome:
        """Call a method of a client made with ``config``, or without it a function."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        call = {"method": method, "arguments": arguments, "config": config}
        self._process.stdin.write(json.dumps(call).encode() + b"\n")
        self._process.stdin.flush()
        outcome: Outcome = json.loads(self._process.stdout.readline())
        return outcome


async def _drive(
    command: tuple[str | Path, ...],
    shop: Sandbox,
    calls: tuple[Any, ...],
    *,
    cipher: bool = True,
    **environment: str,
) -> list[Outcome]:
    credentials = {
        "app_key": shop.app_key,
        "app_secret": shop.app_secret,
        "access_token": shop.access_token,
        "shop_cipher": shop.shop_cipher if cipher else None,
    }
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, env=_environment(shop.base_url, **environment)
    )
    task = json.dumps({"credentials": credentials, "calls": calls}).encode()
    output, _ = await process.communicate(task)
    assert process.returncode == 0
    outcomes: list[Outcome] = json.loads(output)
    return outcomes


def _environment(shop_origin: str, **more: str) -> dict[str, str]:
    """Return variables for a client's process: no others, so that no proxy has a part in it."""
    return {
        "PATH": os.environ["PATH"],
        "SHOP_ORIGIN": shop_origin,
        "NODE_MODULES": f"{MODULES.resolve()}/",
        **more,
    }


def _node(package: str) -> tuple[str | Path, ...]:
    node = shutil.which("node")
    if node is None or not (MODULES / package).is_dir():
        _missing(f"Node with the npm package {package}")
    return (node or "", "--import", HERE / "route.mjs")


def _python(environment: str, package: str) -> Path:
    if not (ROOM / environment / ".has-all").exists():
        _missing(f"the PyPI package {package}")
    return ROOM / environment / "bin" / "python"


def _missing(what: str) -> None:
    reason = f"{what} is not installed in {ROOM}: scripts/test does that"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
