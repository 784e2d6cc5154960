"""An app that a seller has authorized, and processes of it to start, to stop and to kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.fernet import Fernet
from helpers.auth.consent import code_of, oauth_of
from helpers.auth.databases import REDIS_URL, postgresql_database, redis_prefix
from helpers.auth.environment import DAY, REASON
from helpers.auth.worker import Job, Place

from tiktok_shop_async import TikTokShopOAuth
from tiktok_shop_async.auth import Authorizations, SQLTokenStore, TokenStore
from tiktok_shop_async.auth.record import AuthorizationRecord
from tiktok_shop_async.auth.repository import AuthorizationRepository
from tiktok_shop_async.sandbox import Sandbox, TokenRules, run_sandbox

WORKER = Path(__file__).with_name("worker.py")
WEEK = 7 * DAY
PATIENCE = 60
"""Seconds after which processes hang: more than a store waits for a lock."""
HELD = 200
"""Seconds that an answer is held back, unless the sandbox's clock is moved by so much: then it is
ahead of the processes' clocks, whose signatures may be five minutes old."""


@asynccontextmanager
async def place_of(kind: str, folder: Path, **options: Any) -> AsyncIterator[Place]:
    """Give an empty place of a kind; a missing server skips the test, or fails it in CI."""
    match kind:
        case "redis":
            async with redis_prefix() as prefix:
                yield Place(
                    store="RedisTokenStore", url=REDIS_URL, options={"prefix": prefix, **options}
                )
        case "postgresql":
            async with postgresql_database() as url:
                async with SQLTokenStore(url) as store:
                    await store.create_schema()
                yield Place(store="SQLTokenStore", url=url)
        case _:
            key = Fernet.generate_key().decode() if kind == "encrypted" else None
            yield Place(
                store="SQLTokenStore", url=f"sqlite:///{folder / 'tokens.db'}", encryption_key=key
            )


@attrs.frozen(kw_only=True)
class App:
    """An app with one authorization: its sandbox, its store, and the orders to cancel."""

    sandbox: Sandbox
    place: Place
    store: TokenStore
    oauth: TikTokShopOAuth
    open_id: str
    ahead: float

    @property
    def entry(self) -> AuthorizationRepository:
        return AuthorizationRepository(self.store, self.sandbox.app_key, self.open_id)

    async def stored(self) -> AuthorizationRecord:
        return (await self.entry.read())[0]

    @property
    def newest_access_token(self) -> str:
        return list(self.sandbox.market.tokens)[-1]

    @property
    def asked(self) -> int:
        """How many refreshes reached the sandbox and were looked at, refused ones included."""
        return self.sandbox.market.refreshes + self.sandbox.market.grants.refused_refreshes

    def order_ids(self, count: int) -> list[str]:
        orders = self.sandbox.shop.orders.values()
        return [order.id for order in orders if order.status == "AWAITING_SHIPMENT"][:count]

    def job(self, shares: Sequence[Sequence[str]]) -> Job:
        return Job(
            place=self.place,
            credentials=(self.sandbox.app_key, self.sandbox.app_secret),
            base_url=self.sandbox.base_url,
            open_id=self.open_id,
            shop_cipher=self.sandbox.shop_cipher,
            ahead=self.ahead,
            reason=REASON,
            shares=shares,
        )

    def expire_early(self) -> None:
        """Have the service end the access token before the time that it gave for it."""
        tokens = self.sandbox.market.tokens
        newest = self.newest_access_token
        tokens[newest] = attrs.evolve(tokens[newest], expires_at=0)

    def times_cancelled(self, order_ids: Iterable[str]) -> set[int]:
        return {len(self.sandbox.shop.orders[each].cancellations) for each in order_ids}

    async def assert_lock_is_free(self) -> None:
        async with asyncio.timeout(5), self.entry.lock():
            pass

    async def assert_store_has_the_newest(self) -> None:
        """Both tokens of it, and nothing else that concerns a refresh."""
        record = await self.stored()
        assert record.token.access_token == self.newest_access_token
        assert (record.refresh_started_at, record.ended) == (None, None)
        following = await self.oauth.refresh(record.token.refresh_token)
        assert following.access_token == self.newest_access_token
        assert following.access_token != record.token.access_token

    async def refresh(self) -> None:
        """Have one more process of the app refresh, as after a 105002."""
        async with Authorizations(self.oauth, self.store, clock=self.sandbox.clock) as another:
            authorization = another.auth(self.open_id).authorization
            assert authorization is not None
            await authorization.prepare()
            assert authorization.token is not None
            await authorization.replace(authorization.token)


@asynccontextmanager
async def started(
    place: Place, *, orders: int = 100, ahead: float = WEEK, **rules: Any
) -> AsyncIterator[App]:
    """An app that a seller has authorized a while ago."""
    async with (
        run_sandbox(orders=orders, pending_share=0.0, token_rules=TokenRules(**rules)) as sandbox,
        place.opened() as store,
        oauth_of(sandbox) as oauth,
    ):
        token = await oauth.exchange(await code_of(sandbox, oauth))
        async with Authorizations(oauth, store, clock=sandbox.clock) as authorizations:
            await authorizations.add(token)
        sandbox.clock.advance(ahead)
        try:
            yield App(
                sandbox=sandbox,
                place=place,
                store=store,
                oauth=oauth,
                open_id=token.open_id,
                ahead=ahead,
            )
        finally:
            sandbox.clock.advance(HELD)  # lets go of what a fault holds back


class Crew:
    """Processes of the app, one for each share of a job."""

    def __init__(self, root: Process, size: int) -> None:
        self._root = root
        self._size = size
        self.pids: list[int] = []

    async def get_ready(self) -> None:
        self.pids = [(await self.said())["pid"] for _ in range(self._size)]

    async def said(self) -> dict[str, Any]:
        """Return what one of them says next."""
        assert self._root.stdout is not None
        line = await self._root.stdout.readline()
        assert line, "all processes have ended"
        said: dict[str, Any] = json.loads(line)
        return said

    async def work_of(self, *pids: int) -> list[dict[str, Any]]:
        """Have processes begin at once, and return what came of it."""
        signal_to(signal.SIGUSR2, *pids)
        return [await self.said() for _ in pids]

    async def ended(self) -> None:
        await self._root.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._root.pid, signal.SIGKILL)


@asynccontextmanager
async def crew_of(app: App, processes: int, orders_each: int) -> AsyncIterator[Crew]:
    """Start processes that wait for a word; those that are left in the end are killed."""
    order_ids = app.order_ids(processes * orders_each)
    job = app.job([order_ids[n::processes] for n in range(processes)])
    root = await asyncio.create_subprocess_exec(
        sys.executable,
        WORKER,
        json.dumps(attrs.asdict(job)),
        stdout=PIPE,
        start_new_session=True,
    )
    crew = Crew(root, processes)
    try:
        async with asyncio.timeout(PATIENCE) as patience:
            await crew.get_ready()
            yield crew
    except TimeoutError:
        if not patience.expired():
            raise
        signal_to(signal.SIGUSR1, *crew.pids)
        await asyncio.sleep(1)
        pytest.fail("the processes hang; what they wait for is in the captured output")
    finally:
        crew.kill()
        await root.communicate()


def signal_to(number: signal.Signals, *pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def begin_to_refresh(pid: int, app: App, fault: str = "slow_headers") -> None:
    """Have a process begin, and return when a fault has struck its refresh."""
    struck = app.sandbox.faults.add(fault, operation="oauth.refresh", seconds=HELD)
    signal_to(signal.SIGUSR2, pid)
    while not struck.struck:  # noqa: ASYNC110 - nothing tells when
        await asyncio.sleep(0.01)
    app.sandbox.faults.remove(struck)
