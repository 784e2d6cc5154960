"""Receivers that are killed: what they acknowledged is handled, and once unless that cannot be."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import attrs
import httpx
import pytest
from auth.databases import REDIS_URL, postgresql_database, redis_prefix
from support import APP_KEY, APP_SECRET
from webhooks.receiving_process import Job, new_store

from tiktok_shop_async.sandbox.webhook_delivery import sign
from tiktok_shop_async.webhooks import SQLWebhookStore

PROCESS = Path(__file__).with_name("receiving_process.py")
LEASE = 2.0
AT_ONCE = 50
"""Deliveries under way."""
CONCURRENCY = 16
"""Handlers at once, as a receiver has by default: so many events may be handled again."""
PATIENCE = 240


@attrs.frozen
class Receiver:
    """One address, and the process that serves it."""

    job: Job

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Process]:
        running = await asyncio.create_subprocess_exec(
            sys.executable, PROCESS, json.dumps(attrs.asdict(self.job))
        )
        try:
            yield running
        finally:
            if running.returncode is None:
                running.kill()
            await running.wait()


class Platform:
    """Sends each delivery until it is acknowledged, many at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._acknowledged = 0
        self._news = asyncio.Condition()

    async def send(self, bodies: Iterable[bytes]) -> None:
        left = iter(bodies)
        async with httpx.AsyncClient(timeout=3, trust_env=False) as http:

            async def one_after_another() -> None:
                for body in left:
                    await self._deliver(http, body)

            await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))

    async def acknowledged(self, count: int) -> None:
        """Wait until so many deliveries were acknowledged."""
        async with self._news:
            await self._news.wait_for(lambda: self._acknowledged >= count)

    async def _deliver(self, http: httpx.AsyncClient, body: bytes) -> None:
        headers = {"Authorization": sign(APP_KEY, APP_SECRET, body)}
        while not await self._attempt(http, body, headers):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # in place of two minutes
        async with self._news:
            self._acknowledged += 1
            self._news.notify_all()

    async def _attempt(self, http: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> bool:
        try:
            response = await http.post(self._url, content=body, headers=headers)
        except httpx.HTTPError:
            return False
        return response.status_code == httpx.codes.OK


def deliveries(count: int, random: Random) -> list[bytes]:
    """Return so many deliveries in any order; three in ten repeat another one."""
    bodies = [order_changed(number) for number in range(count * 7 // 10)]
    bodies += random.choices(bodies, k=count - len(bodies))
    random.shuffle(bodies)
    return bodies


def order_changed(number: int) -> bytes:
    return json.dumps(
        {
            "type": 1,
            "tts_notification_id": str(7_380_066_284_010_000_000 + number),
            "shop_id": "7495540735365777507",
            "timestamp": 1718305585,
            "data": {
                "order_id": str(576_653_688_135_000_000 + number),
                "order_status": "UNPAID",
                "is_on_hold_order": False,
                "update_time": 1718305585,
            },
        }
    ).encode()


@asynccontextmanager
async def places(kind: str, folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Give the URL of an empty store, and a prefix for its keys."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'webhooks.db'}", ""
    elif kind == "redis":
        async with redis_prefix() as prefix:
            yield REDIS_URL, prefix
    else:
        async with postgresql_database() as url:
            async with SQLWebhookStore(url) as store:
                await store.create_schema()
            yield url, ""


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("sqlite", 400),
        *[
            pytest.param(kind, 10_000, marks=pytest.mark.scale)
            for kind in ("sqlite", "postgresql", "redis")
        ],
    ],
)
async def test_a_receiver_that_is_killed_twice_handles_all_it_acknowledged(
    tmp_path: Path, kind: str, count: int
) -> None:
    """Nothing is lost; nothing comes twice, except what was being handled at a kill."""
    random = Random(count)  # noqa: S311 - nothing secret
    bodies = deliveries(count, random)
    wanted = {json.loads(body)["tts_notification_id"] for body in bodies}
    log = tmp_path / "handled.txt"
    log.touch()
    async with asyncio.timeout(PATIENCE), places(kind, tmp_path) as (url, prefix):
        job = Job(
            app_key=APP_KEY,
            app_secret=APP_SECRET,
            store=url,
            prefix=prefix,
            port=free_port(),
            handled=str(log),
            lease=LEASE,
        )
        receiver, platform = Receiver(job), Platform(f"http://127.0.0.1:{job.port}/")
        sending = asyncio.create_task(platform.send(bodies))
        for kill_at in (count // 4, count * 2 // 3):
            async with receiver.process() as process:
                await platform.acknowledged(kill_at + random.randint(0, count // 10))
                process.kill()
        async with receiver.process() as process:
            await sending
            async with new_store(url, prefix) as store:
                while (await store.counts()).waiting:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                assert (await store.counts()).dead == 0
            process.send_signal(signal.SIGTERM)
            await process.wait()
    handled = [line.split() for line in log.read_text().splitlines()]
    assert {event for _, event in handled} == wanted
    assert max(Counter((process, event) for process, event in handled).values()) == 1
    again = [event for event, times in Counter(event for _, event in handled).items() if times > 1]
    assert len(again) <= 2 * CONCURRENCY
