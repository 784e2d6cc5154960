"""Webhooks over HTTP to a receiver with one core: verified and kept, a second, by store."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx

from .harness import Table, medians
from .raw_http import encoded, send_all

APP_KEY, APP_SECRET = "key", "secret"

PYTHON = Path("build/bench/sandbox/bin/python")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
POSTGRESQL_URL = os.environ.get(
    "TEST_POSTGRESQL_URL", "postgresql+asyncpg://postgres@127.0.0.1:5432/test"
)
DELIVERIES = 10_000
CONNECTIONS = 50
ROUNDS = 5
LEAST_A_SECOND = 2_000
BY_HAND = "verified by hand, not stored"
NAMES = {
    "by hand": BY_HAND,
    "memory": "WebhookReceiver, in memory",
    "sqlite": "WebhookReceiver, SQLite",
    "postgresql": "WebhookReceiver, PostgreSQL",
    "redis": "WebhookReceiver, Redis",
}

_numbers = itertools.count()


async def measure() -> list[Table]:
    if not PYTHON.exists():
        print("Webhooks are left out: scripts/bench installs their server into build/bench.")
        return []
    with ExitStack() as opened, tempfile.TemporaryDirectory() as folder:
        servers = {
            name: opened.enter_context(_serving(kind, _place(kind, folder)))
            for kind, name in NAMES.items()
        }
        handled: dict[str, list[float]] = {name: [] for name in servers}
        figures = await medians(
            {name: partial(_deliver, at, handled[name]) for name, at in servers.items()}, ROUNDS
        )
    notes = [
        f"{name}: {1e6 / figure:,.0f} a second (goal: {LEAST_A_SECOND:,}): "
        f"{'met' if 1e6 / figure >= LEAST_A_SECOND else '**missed**'}"
        for name, figure in figures.items()
    ]
    notes.append(
        f"The server has one core; {CONNECTIONS} deliveries, signed beforehand, are in flight."
    )
    until_handled = {name: statistics.median(each) for name, each in handled.items()}
    return [
        Table("Webhooks, verified and stored", "µs per delivery", figures, notes=notes),
        Table("Webhooks, until the last one is handled", "µs per delivery", until_handled),
    ]


async def _deliver(base_url: str, handled: list[float]) -> float:
    """Return what a delivery took, and note what it took until all were handled."""
    requests = [_delivery(base_url) for _ in range(DELIVERIES)]
    before = await _handled(base_url)
    start = time.perf_counter()
    await send_all(requests, base_url, connections=CONNECTIONS, check=_check)
    taken = time.perf_counter() - start
    while await _handled(base_url) < before + DELIVERIES:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.02)
    handled.append(1e6 * (time.perf_counter() - start) / DELIVERIES)
    return 1e6 * taken / DELIVERIES


async def _handled(base_url: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        return int((await http.get(base_url)).text)


def _delivery(base_url: str) -> bytes:
    data = {
        "order_id": "576653688135258178",
        "order_status": "UNPAID",
        "is_on_hold_order": True,
        "update_time": 1718305585,
    }
    envelope = {
        "type": 1,
        "tts_notification_id": str(time.time_ns()) + str(next(_numbers)),
        "shop_id": "7495540735365777507",
        "timestamp": 1718305585,
        "data": data,
    }
    body = json.dumps(envelope, separators=(",", ":")).encode()
    signature = hmac.new(APP_SECRET.encode(), APP_KEY.encode() + body, hashlib.sha256)
    headers = {"Authorization": signature.hexdigest(), "Content-Type": "application/json"}
    return encoded(httpx.Request("POST", base_url, content=body, headers=headers))


def _check(answer: bytes) -> None:
    assert b" 200 " in answer, answer


@contextmanager
def _serving(kind: str, place: str) -> Iterator[str]:
    command = [str(PYTHON), "-m", "benchmarks.receiving_server", kind, place]
    subprocess.run([*command, "clean"], check=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.terminate()
            process.wait()
            subprocess.run([*command, "clean"], check=True)


def _place(kind: str, folder: str) -> str:
    return {
        "sqlite": f"sqlite:///{folder}/webhooks.db",
        "postgresql": POSTGRESQL_URL,
        "redis": REDIS_URL,
    }.get(kind, "")
