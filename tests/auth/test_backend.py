"""The example of a backend, served by four processes that share tokens, withdrawals and crashes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from cryptography.fernet import Fernet
from helpers.auth.consent import decided
from helpers.auth.databases import postgresql_database

from tiktok_shop_async.sandbox import (
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_SERVICE_ID,
    Sandbox,
    TokenRules,
    run_sandbox,
)

ROOT = Path(__file__).parents[2]
WORKERS = 4
LIMIT = 90
"""Seconds for starting it, for each test, and for stopping it, on a machine that has much to do."""
PUBLIC_URL = "https://backend.example"
BRIEFLY, A_LITTLE_LATER = 240, 250
"""Seconds: less than the five minutes by which the service's clock and ours may differ."""
LOG_LINE = "%(process)d %(name)s %(message)s"


class Backend:
    """Its workers as one address, and what they log."""

    def __init__(self, server: Process) -> None:
        self.log: list[str] = []
        self._server = server
        self._news = asyncio.Condition()

    async def read(self) -> None:
        assert self._server.stdout is not None
        while line := await self._server.stdout.readline():
            async with self._news:
                self.log.append(line.decode().rstrip())
                self._news.notify_all()
        async with self._news:
            self.log.append("END")
            self._news.notify_all()

    async def logged(self, pattern: str, times: int = 1) -> list[re.Match[str]]:
        """Return the lines that fit, once there are so many."""
        async with self._news:
            while len(found := list(self._found(pattern))) < times:
                assert self.log[-1:] != ["END"], "\n".join(self.log)
                await self._news.wait()
        return found

    def _found(self, pattern: str) -> Iterator[re.Match[str]]:
        return filter(None, (re.search(pattern, line) for line in self.log))


@asynccontextmanager
async def served(environment: Mapping[str, str], folder: Path) -> AsyncIterator[Backend]:
    log_config = folder / "log.json"
    handler = {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"}
    settings: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": LOG_LINE}},
        "handlers": {"console": handler},
        "root": {"handlers": ["console"], "level": "INFO"},
    }
    log_config.write_text(json.dumps(settings))
    arguments = ["-m", "uvicorn", "backend:app", "--app-dir", "examples", "--port", "0"]
    arguments += ["--workers", str(WORKERS), "--log-config", str(log_config)]
    # A machine that is busy with other tests must not lose us a connection or a worker.
    arguments += ["--timeout-keep-alive", "60", "--timeout-worker-healthcheck", "60"]
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env=environment,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    backend = Backend(server)
    reading = asyncio.create_task(backend.read())
    try:
        yield backend
        server.terminate()
        async with asyncio.timeout(LIMIT):
            assert await server.wait() in (0, -signal.SIGTERM)
    finally:
        if server.returncode is None:
            os.killpg(server.pid, signal.SIGKILL)
        await server.wait()
        await reading


async def one_connection_per_worker(
    backend: Backend, url: str, opened: AsyncExitStack
) -> dict[int, httpx.AsyncClient]:
    """Connect until each worker has taken a connection, and keep one of each, by process id."""
    found: dict[int, httpx.AsyncClient] = {}
    for attempt in range(100):
        clients = {
            f"/who-{attempt}-{number}": await opened.enter_async_context(browser(url))
            for number in range(8)
        }
        await asyncio.gather(*(client.get(path) for path, client in clients.items()))
        for path, client in clients.items():
            [line] = await backend.logged(rf'^(\d+) .*"GET {path} ')
            found.setdefault(int(line[1]), client)
        if len(found) == WORKERS:
            return found
    raise AssertionError(f"only {len(found)} workers take connections")


def browser(url: str) -> httpx.AsyncClient:
    """Return one with a single connection, and so with a single worker."""
    return httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=1))


async def connect(sandbox: Sandbox, begin: httpx.AsyncClient, end: httpx.AsyncClient) -> None:
    """Lead a seller from our link to the platform's page and back, to another worker."""
    answer = await begin.get("/tiktok/start")
    redirect = await decided(sandbox, answer.headers["location"])
    answer = await end.get(redirect, headers={"cookie": answer.headers["set-cookie"]})
    assert answer.status_code == 200, answer.text
    assert sandbox.shop.name in answer.text


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'tokens.db'}"
    else:
        async with postgresql_database() as url:
            yield url


@attrs.frozen
class World:
    """A sandbox, and the backend that calls it: one client for each of its workers."""

    sandbox: Sandbox
    backend: Backend
    by_process: dict[int, httpx.AsyncClient]

    @property
    def workers(self) -> list[httpx.AsyncClient]:
        return list(self.by_process.values())

    @property
    def orders(self) -> str:
        return f"/shops/{self.sandbox.shop.id}/orders"

    async def ask_all(self) -> list[httpx.Response]:
        return await asyncio.gather(*(worker.get(self.orders) for worker in self.workers))


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as opened:
        async with asyncio.timeout(LIMIT):
            world = await opened_world(database_url, tmp_path, opened)
        yield world


async def opened_world(database_url: str, folder: Path, opened: AsyncExitStack) -> World:
    rules = TokenRules(access_token_seconds=BRIEFLY)
    sandbox = await opened.enter_async_context(run_sandbox(orders=60, token_rules=rules))
    clean = {name: text for name, text in os.environ.items() if not name.startswith("TIKTOK_")}
    environment = clean | {
        "TIKTOK_APP_KEY": DEMO_APP_KEY,
        "TIKTOK_APP_SECRET": DEMO_APP_SECRET,
        "TIKTOK_SERVICE_ID": DEMO_SERVICE_ID,
        "TIKTOK_BASE_URL": sandbox.base_url,
        "TOKEN_STORE_URL": database_url,
        "TOKEN_STORE_KEYS": Fernet.generate_key().decode(),
        "STATE_SECRET": "a secret for all of the workers",
        "PUBLIC_URL": PUBLIC_URL,
    }
    deploy = await asyncio.create_subprocess_exec(
        sys.executable, "examples/backend.py", cwd=ROOT, env=environment
    )
    assert await deploy.wait() == 0
    backend = await opened.enter_async_context(served(environment, folder))
    await backend.logged("Application startup complete", times=WORKERS)
    [running] = await backend.logged(r"running on (http://\S+)")
    by_process = await one_connection_per_worker(backend, running[1], opened)
    apps = sandbox.market.apps
    redirect_url = f"{running[1]}/tiktok/callback"
    apps[DEMO_APP_KEY] = attrs.evolve(apps[DEMO_APP_KEY], redirect_url=redirect_url)
    async with sandbox.client() as client:
        await client.event.update_shop_webhook(
            event_type="SELLER_DEAUTHORIZATION", address=f"{running[1]}/webhooks/"
        )
    return World(sandbox, backend, by_process)


def within_limit(
    test: Callable[[World], Coroutine[Any, Any, None]],
) -> Callable[[World], Coroutine[Any, Any, None]]:
    @wraps(test)
    async def limited(world: World) -> None:
        async with asyncio.timeout(LIMIT):
            await test(world)

    return limited


def newest_token(sandbox: Sandbox) -> str:
    return list(sandbox.market.tokens)[-1]


@within_limit
async def test_four_workers_share_one_refresh_and_one_withdrawal(world: World) -> None:
    sandbox, backend, workers = world.sandbox, world.backend, world.workers
    assert (await workers[0].get(world.orders)).status_code == 404
    await connect(sandbox, workers[0], workers[1])
    for answer in await world.ask_all():
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) <= set(sandbox.shop.orders)

    # The token expires, and all of them are asked many times at once.
    sandbox.market.grants.rules = TokenRules()
    sandbox.clock.advance(A_LITTLE_LATER)
    async with httpx.AsyncClient(base_url=workers[0].base_url, timeout=60) as crowd:
        answers = await asyncio.gather(
            world.ask_all(), *(crowd.get(world.orders) for _ in range(36))
        )
    assert [each.text for each in [*answers[0], *answers[1:]] if each.status_code != 200] == []
    grants = sandbox.market.grants
    assert (grants.refreshes, grants.refused_refreshes) == (1, 0)
    assert len(await backend.logged("TokenRefreshed")) == 1

    # A webhook that is not the service's changes nothing.
    event = {"type": 6, "shop_id": sandbox.shop.id, "timestamp": int(sandbox.clock())}
    for signature in ("", "0" * 64, "é"):
        forged = await workers[0].post(
            "/webhooks/", json=event, headers={"authorization": signature.encode()}
        )
        assert forged.status_code == 401
    assert [answer.status_code for answer in await world.ask_all()] == [200] * WORKERS

    # The seller withdraws: one worker is told, and all of them refuse.
    token = newest_token(sandbox)
    sandbox.market.revoke(token)
    await sandbox.webhooks.drain()
    assert sandbox.webhooks.deliveries[-1].state == "delivered"
    await backend.logged("Sandbox Goods must authorize again")  # handled, not only kept
    for _ in range(2):
        for answer in await world.ask_all():
            assert answer.status_code == 409, answer.text
            assert "The seller withdrew the authorization." in answer.json()["error"]
            assert answer.json()["authorize_at"] == f"{PUBLIC_URL}/tiktok/start?region=us"
    assert len(await backend.logged("Sandbox Goods must authorize again")) == 1

    # And all go on when the seller has come back, through any of them.
    await connect(sandbox, workers[2], workers[3])
    assert [answer.status_code for answer in await world.ask_all()] == [200] * WORKERS
    assert sandbox.market.refreshes == 1
    secrets = [DEMO_APP_SECRET, *sandbox.market.tokens, token]
    assert not any(secret in line for secret in secrets for line in backend.log)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@within_limit
async def test_a_worker_that_is_killed_in_a_refresh_leaves_the_best_there_is(world: World) -> None:
    """The service has answered, and nobody heard it: where it repeats itself, nothing is lost."""
    sandbox, tokens = world.sandbox, world.sandbox.market.tokens
    await connect(sandbox, *world.workers[:2])
    for grace, status in ((600.0, 200), (0.0, 409)):
        assert [answer.status_code for answer in await world.ask_all()] == [200] * len(
            world.workers
        )
        sandbox.market.grants.rules = TokenRules(refresh_grace_seconds=grace)
        token = newest_token(sandbox)
        tokens[token] = attrs.evolve(tokens[token], expires_at=sandbox.clock() - 1)
        sandbox.faults.add("slow_headers", operation="oauth.refresh", seconds=600, nth=1)
        refreshes = sandbox.market.refreshes
        process_id, victim = world.by_process.popitem()
        asking = asyncio.create_task(victim.get(world.orders))
        while sandbox.market.refreshes == refreshes:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.01)
        os.kill(process_id, signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            await asking
        for answer in await world.ask_all():
            assert answer.status_code == status, answer.text
    assert "A refresh was started at" in answer.json()["error"]
    assert "its response was lost" in answer.json()["error"]
