"""One change that a webhook and a poller add: it is stored once, whichever is first."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from helpers.auth.databases import postgresql_database
from helpers.webhooks.stores.places import Place, claim, place_of
from sqlalchemy import make_url

from tiktok_shop_async.webhooks import NewEvent, SQLWebhookStore, WebhookStore

CHANGES = 100
PROCESS = Path(__file__).parents[2] / "helpers" / "webhooks" / "stores" / "adding_process.py"


def webhook(change: int, delivery: str = "first") -> NewEvent:
    return NewEvent(
        id=f"{delivery}-{change}",
        body=b"{}",
        app_key="key",
        aliases=frozenset({f"sent:{change}"}),
        unless=frozenset({f"polled:{change}"}),
    )


def polled(change: int) -> NewEvent:
    return NewEvent(
        id=f"polled:{change}", body=b"{}", app_key="key", unless=frozenset({f"sent:{change}"})
    )


async def kept(store: WebhookStore) -> list[str]:
    return sorted(each.id for each in await claim(store, 10_000))


async def add_all(store: WebhookStore, events: Sequence[NewEvent]) -> list[bool]:
    return await asyncio.gather(*(store.add(event) for event in events))


@pytest.mark.parametrize("first", ["webhook", "poller"])
async def test_at_once_in_one_process(store: WebhookStore, first: str) -> None:
    """SQL has them in one transaction."""
    pairs = [(webhook(number), polled(number)) for number in range(CHANGES)]
    if first == "poller":
        pairs = [(poll, hook) for hook, poll in pairs]
    added = await add_all(store, [event for pair in pairs for event in pair])
    assert all(one != other for one, other in zip(added[::2], added[1::2], strict=True))
    assert len(await kept(store)) == CHANGES


async def test_one_after_the_other(store: WebhookStore) -> None:
    assert await store.add(webhook(1))
    assert not await store.add(polled(1))
    assert await store.add(polled(2))
    assert not await store.add(webhook(2))
    assert await kept(store) == ["first-1", "polled:2"]


async def test_two_webhooks_of_a_change_are_both_stored(place: Place) -> None:
    """Two notifications of one change are two events, in one process and in several."""
    async with AsyncExitStack() as opened:
        stores = [await opened.enter_async_context(place.opened()) for _ in range(2)]
        events = [webhook(number, f"{each}") for number in range(20) for each in range(4)]
        added = await asyncio.gather(*(add_all(store, events) for store in stores))
        assert [sum(pair) for pair in zip(*added, strict=True)] == [1] * len(events)
        assert len(await kept(stores[0])) == len(events)


async def test_at_once_through_two_stores(place: Place) -> None:
    """Neither is it kept twice, nor lost because each store leaves it to the other."""
    async with AsyncExitStack() as opened:
        stores = [await opened.enter_async_context(place.opened()) for _ in range(2)]
        for number in range(CHANGES):
            added = await asyncio.gather(
                stores[0].add(webhook(number)), stores[1].add(polled(number))
            )
            assert sorted(added) == [False, True]
        assert len(await kept(stores[0])) == CHANGES


@asynccontextmanager
async def adding_process(url: str, events: Sequence[NewEvent]) -> AsyncIterator[asyncio.Task[int]]:
    """Run a process with its own store; yield how many events it was the first to add."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        PROCESS,
        url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stdin is not None
    assert await running.stdout.readline() == b"ready\n"

    async def add() -> int:
        rows = [[each.id, sorted(each.aliases), sorted(each.unless)] for each in events]
        output, _ = await running.communicate(json.dumps(rows).encode())
        return int(output)

    yield asyncio.create_task(add())
    await running.wait()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_at_once_from_two_processes(kind: str, tmp_path: Path) -> None:
    hooks, polls = zip(*((webhook(n), polled(n)) for n in range(CHANGES)), strict=True)
    async with place_of(kind, tmp_path) as place, place.opened() as store:
        await store.counts()
        async with (
            adding_process(place.url, hooks) as of_hooks,
            adding_process(place.url, polls) as of_polls,
        ):
            assert sum(await asyncio.gather(of_hooks, of_polls)) == CHANGES
        changes = [each.split("-")[-1].split(":")[-1] for each in await kept(store)]
        assert sorted(changes, key=int) == [str(number) for number in range(CHANGES)]


@asynccontextmanager
async def postgresql_store() -> AsyncIterator[tuple[SQLWebhookStore, asyncpg.Connection]]:
    async with postgresql_database() as url, SQLWebhookStore(url) as store:
        await store.create_schema()
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(plain)
        try:
            yield store, connection
        finally:
            await connection.close()


async def waits_for_a_lock(connection: asyncpg.Connection) -> None:
    """Return when another connection to the same database waits for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(120):
        while not await connection.fetchval(waiting):
            pass


@pytest.mark.parametrize("ending", ["COMMIT", "ROLLBACK"])
async def test_a_webhook_waits_for_a_transaction_that_brings_its_change(ending: str) -> None:
    """It is dropped only if that one is committed."""
    async with postgresql_store() as (store, other):
        await other.execute("BEGIN")
        await other.execute(
            "INSERT INTO tiktok_shop_webhook_names (name, remembered_at)"
            " VALUES ('key/polled:1', extract(epoch FROM now()))"
        )
        adding = asyncio.create_task(store.add(webhook(1)))
        await waits_for_a_lock(other)
        await other.execute(ending)
        assert await adding == (ending == "ROLLBACK")
        assert not await store.add(polled(1))


async def test_names_in_any_order_never_deadlock() -> None:
    """Each pair of transactions has the same names, the one from the other end."""
    async with postgresql_database() as url:
        async with SQLWebhookStore(url) as one, SQLWebhookStore(url) as other:
            await one.create_schema()
            for round_ in range(5):
                events = [webhook(number, f"{round_}") for number in range(200)]
                added = await asyncio.gather(add_all(one, events), add_all(other, events[::-1]))
                assert sum(map(sum, added)) == 200
            name = make_url(url).database
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(plain)
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = $1"
        assert await connection.fetchval(deadlocks, name) == 0
        await connection.close()
