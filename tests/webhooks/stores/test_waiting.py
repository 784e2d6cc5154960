"""Waiting events in a store: they can be listed and waited for."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from support import APP_KEY, APP_SECRET
from webhooks.receiving_process import Job
from webhooks.serving import WEBHOOKS, delivery, signed
from webhooks.stores.places import LEASE, Place, claim, event, place_of

from tiktok_shop_async.webhooks import (
    MemoryWebhookStore,
    OrderStatusChange,
    WaitingEvent,
    WebhookEvent,
    WebhookReceiver,
    WebhookStore,
)
from tiktok_shop_async.webhooks.stores import completion_tracker, redis
from tiktok_shop_async.webhooks.stores.completion_tracker import CompletionTracker, Outstanding

PATIENCE = 120
RECEIVING = Path(__file__).parents[1] / "receiving_process.py"


@pytest.fixture
def no_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only what this process completes end a wait."""
    monkeypatch.setattr(completion_tracker, "POLL_INTERVAL", 3600.0)


async def waiting(store: WebhookStore) -> dict[str, WaitingEvent]:
    found = [each async for each in store.waiting()]
    assert len({each.key for each in found}) == len(found)
    return {each.id: each for each in found}


@asynccontextmanager
async def joining(store: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Join a store beside the block, which must let it end."""
    joins = store._tracker._joins
    before = len(joins)
    task = asyncio.create_task(store.join())
    async with asyncio.timeout(PATIENCE):
        while len(joins) == before:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
    yield task
    async with asyncio.timeout(PATIENCE):
        await task


async def test_what_waits_can_be_looked_at(store: WebhookStore) -> None:
    """Events that are new, being handled, failed and put back; dead letters are no part of it."""
    for number in range(5):
        await store.add(event(number))
    claims = {each.id: each for each in await claim(store, 4)}
    held, failed, cut_off, dead = sorted(claims)
    await store.put_back(claims[failed], after=LEASE, error="ValueError: \0\ud800 no")
    await store.put_back(claims[cut_off], counted=False)
    await store.dead_letter(claims[dead], error="no")
    found = await waiting(store)
    assert sorted(found) == sorted({f"id-{number}" for number in range(5)} - {dead})
    (new,) = found.keys() - claims.keys()
    assert found[new].key == f"key/{new}"
    assert found[new].body == event(int(new[-1])).body
    facts = {id_: (each.app_key, each.attempts, each.error) for id_, each in found.items()}
    assert facts[new] == facts[cut_off] == ("key", 0, None)
    assert facts[held] == ("key", 1, None)
    assert facts[failed][:2] == ("key", 1)
    assert str(facts[failed][2]).startswith("ValueError: ")
    assert [id_ for id_, each in found.items() if each.is_being_handled] == [held]
    assert found[new].due_at == found[new].received_at
    for later in (held, failed):
        pause = (found[later].due_at - found[later].received_at).total_seconds()
        assert LEASE <= pause < LEASE + 20


async def test_the_last_error_stays_until_the_event_is_replayed(store: WebhookStore) -> None:
    await store.add(event())
    for error in ("first", "second"):
        await store.put_back((await claim(store))[0], error=error)
    await store.put_back((await claim(store))[0], counted=False)
    assert (await waiting(store))["id-1"].error == "second"
    await store.dead_letter((await claim(store))[0], error="third")
    assert await waiting(store) == {}
    await store.replay()
    found = (await waiting(store))["id-1"]
    assert (found.attempts, found.error) == (0, None)


async def test_a_lease_that_ended_is_no_handling(store: WebhookStore) -> None:
    await store.add(event())
    await claim(store, lease=0.0)
    assert not (await waiting(store))["id-1"].is_being_handled


async def test_many_are_read_in_pieces(store: WebhookStore) -> None:
    await asyncio.gather(*(store.add(event(number)) for number in range(250)))
    assert len(await waiting(store)) == 250


async def test_memory_shows_the_times_of_its_clock() -> None:
    now = 1_000_000.0
    store = MemoryWebhookStore(clock=lambda: now)
    await store.add(event())
    await claim(store, lease=60.0)
    now += 1.0
    (found,) = (await waiting(store)).values()
    assert found.received_at == datetime.fromtimestamp(1_000_000, UTC)
    assert found.due_at == datetime.fromtimestamp(1_000_060, UTC)
    assert found.is_being_handled
    now += 60.0
    assert not (await waiting(store))["id-1"].is_being_handled


async def test_nothing_is_waited_for_where_nothing_waits(store: WebhookStore) -> None:
    async with asyncio.timeout(PATIENCE):
        await store.join()
        await store.add(event())
        await store.dead_letter((await claim(store))[0], error="no")
        await store.join()


@pytest.mark.usefixtures("no_queries")
async def test_a_join_ends_when_all_are_handled_or_dead(store: WebhookStore) -> None:
    """Events that come later, and others that were put back and handled later, are no obstacle."""
    for number in range(3):
        await store.add(event(number))
    handled, dead, again = await claim(store)
    async with joining(store) as joined:
        await store.add(event(4))
        await store.put_back(again)
        await store.finish(handled)
        await store.dead_letter(dead, error="no")
        assert not joined.done()
        for each in await claim(store):
            if each.id == again.id:
                await store.finish(each)
    assert list(await waiting(store)) == ["id-4"]


@pytest.mark.usefixtures("no_queries")
async def test_several_may_join(store: WebhookStore) -> None:
    """One that is cancelled ends, even while a new connection is made, and is no obstacle."""
    await store.add(event(1))
    (first,) = await claim(store)
    async with joining(store), joining(store):
        for turns in range(12):
            cancelled = asyncio.create_task(store.join())
            for _ in range(turns):
                await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.wait([cancelled])
            assert cancelled.cancelled()
        await store.finish(first)


async def test_a_join_notices_what_another_store_handles(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there are more events than are asked for at once."""
    monkeypatch.setattr(completion_tracker, "POLL_INTERVAL", 0.001)
    monkeypatch.setattr(redis, "PAGE", 100)
    async with place.opened() as store, place.opened() as other:
        await asyncio.gather(*(store.add(event(number)) for number in range(250)))
        claims = await claim(other, 1000)
        async with joining(store):
            await asyncio.gather(*(other.finish(each) for each in claims))


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_a_join_waits_for_another_process(kind: str, tmp_path: Path) -> None:
    handled = tmp_path / "handled"
    async with (
        place_of(kind, tmp_path) as place,
        place.opened() as store,
        AsyncExitStack() as stopping,
    ):
        for number in range(20):
            await store.add(attrs.evolve(event(number), body=delivery(number)))
        job = Job(
            app_key=APP_KEY,
            app_secret=APP_SECRET,
            store=place.url,
            prefix=place.prefix,
            port=0,
            handled=str(handled),
            lease=LEASE,
        )
        async with joining(store):
            process = await asyncio.create_subprocess_exec(
                sys.executable, RECEIVING, json.dumps(attrs.asdict(job))
            )
            stopping.push_async_callback(process.wait)
            stopping.callback(process.kill)
        assert len(handled.read_text().splitlines()) == 20


@pytest.mark.usefixtures("no_queries")
async def test_a_server_is_not_asked_for_each_completion() -> None:
    """A query follows when all of the last one's events are completed."""
    left = {str(number) for number in range(100)}
    queries = 0
    completed = CompletionTracker()

    async def outstanding() -> Collection[str]:
        nonlocal queries
        queries += 1
        await asyncio.sleep(0)
        return sorted(left)[:30]

    async def snapshot() -> Outstanding:
        return outstanding

    join = asyncio.create_task(completed.join(snapshot))
    while left:
        completed.add(left.pop())
        completed.add("another")
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await join
    assert queries <= 5


@pytest.mark.usefixtures("no_queries")
async def test_a_receiver_joins_what_it_acknowledged(store: WebhookStore) -> None:
    """A failed event included, which ends among the dead letters after its attempts."""
    got: list[str] = []
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=(0.0,)) as receiver:

        @receiver.on(WebhookEvent)
        async def slow(event: WebhookEvent) -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            got.append(event.id)

        @receiver.on(OrderStatusChange)
        async def failing(event: OrderStatusChange) -> None:
            if event.id == "3":
                raise LookupError("no such order")

        for number in range(20):
            await receiver.receive(*signed(delivery(number)))
        async with asyncio.timeout(PATIENCE):
            await receiver.join()
        assert len(set(got)) == 20
        assert got.count("3") == 2
    counts = await store.counts()
    assert (counts.waiting, counts.dead) == (0, 1)


async def test_the_error_of_a_failed_attempt_is_shown(store: WebhookStore) -> None:
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=(3600.0,)) as receiver:
        has_failed = asyncio.Event()

        @receiver.on(WebhookEvent)
        async def failing(event: WebhookEvent) -> None:
            has_failed.set()
            raise LookupError("no such order")

        await receiver.receive(*signed(delivery()))
        await has_failed.wait()
    (found,) = (await waiting(store)).values()
    assert found.error == "LookupError: no such order"
    assert (found.id, found.attempts, found.is_being_handled) == ("1", 1, False)
    parsed = WEBHOOKS.parse(found.body, id=found.id, app_key=found.app_key)
    assert isinstance(parsed, OrderStatusChange)
