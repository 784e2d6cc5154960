"""The interface of all event stores: in memory, in SQLite, in PostgreSQL and in Redis."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from auth.databases import REDIS_URL, postgresql_database, redis_prefix
from redis.asyncio import Redis
from webhooks.stores.places import LEASE, Place, claim, event, place_of

from tiktok_shop_async import InvalidArgumentError, WebhookStoreError, WebhookStoreFullError
from tiktok_shop_async.webhooks import (
    MemoryWebhookStore,
    NewEvent,
    RedisWebhookStore,
    SQLWebhookStore,
    WebhookStore,
)
from tiktok_shop_async.webhooks.stores.opening import open_store


async def test_an_event_is_claimed_once_as_it_was_added(store: WebhookStore) -> None:
    """Its body byte for byte; its id is known from then on, also when it was handled."""
    assert await store.add(event())
    assert not await store.add(event())
    (claimed,) = await claim(store)
    assert (claimed.id, claimed.body, claimed.app_key) == ("id-1", b"\xff\x00{1}", "key")
    assert claimed.attempt == 1
    assert await claim(store) == []
    await store.finish(claimed)
    assert not await store.add(event())
    assert (await store.counts()).waiting == 0


async def test_of_many_tasks_that_add_an_event_one_adds_it(place: Place) -> None:
    async with AsyncExitStack() as opened:
        stores = [await opened.enter_async_context(place.opened()) for _ in range(4)]
        results = await asyncio.gather(
            *(store.add(event(number)) for number in range(50) for store in stores * 2)
        )
        assert sum(results) == 50
        assert (await stores[0].counts()).waiting == 50


async def test_tasks_that_claim_at_once_get_different_events(place: Place) -> None:
    async with AsyncExitStack() as opened:
        stores = [await opened.enter_async_context(place.opened()) for _ in range(4)]
        for number in range(50):
            await stores[0].add(event(number))
        claims = await asyncio.gather(*(claim(store, 7) for store in stores * 3))
        ids = [each.id for some in claims for each in some]
        assert max(Counter(ids).values()) == 1
        assert max(len(some) for some in claims) <= 7
        rest = await claim(stores[0], 100)
        assert len(ids) + len(rest) == 50


async def test_the_longest_due_come_first(store: WebhookStore) -> None:
    for number in range(5):
        await store.add(event(number))
        await asyncio.sleep(0.002)
    assert [each.id for each in await claim(store, 3)] == ["id-0", "id-1", "id-2"]


async def test_other_names_keep_an_event_out(store: WebhookStore) -> None:
    """Those that were remembered with another one; a name that is only asked for is not."""
    assert await store.add(event(1, aliases=frozenset({"sent:1", "sent:2"})))
    assert not await store.add(event(2, unless=frozenset({"other", "sent:2"})))
    assert await store.add(event(2, unless=frozenset({"other"})))
    assert await store.add(event(3, unless=frozenset({"other"}), aliases=frozenset({"sent:1"})))


async def test_a_lease_ends(store: WebhookStore) -> None:
    """The event then belongs to another claim; the late claim can only finish it."""
    await store.add(event())
    (late,) = await claim(store, lease=0.0)
    (other,) = await claim(store)
    assert (late.attempt, other.attempt) == (1, 2)
    assert late.claim != other.claim
    await store.put_back(late)
    await store.dead_letter(late, error="no")
    await store.renew([late], lease=-1.0)
    assert await claim(store) == []
    await store.finish(late)
    assert (await store.counts()).waiting == 0
    await store.finish(other)
    await store.put_back(other)
    assert await claim(store) == []


async def test_a_renewed_lease_goes_on(store: WebhookStore) -> None:
    await store.add(event(1))
    await store.add(event(2))
    kept, lost = await claim(store, lease=0.05)
    await store.renew([kept], lease=LEASE)
    await asyncio.sleep(0.06)
    assert [each.id for each in await claim(store)] == [lost.id]


async def test_an_event_that_is_put_back_is_due_later(store: WebhookStore) -> None:
    await store.add(event())
    (first,) = await claim(store)
    await store.put_back(first, after=LEASE)
    assert await claim(store) == []
    assert (await store.counts()).waiting == 1


async def test_an_attempt_counts_unless_it_was_interrupted(store: WebhookStore) -> None:
    await store.add(event())
    (first,) = await claim(store)
    await store.put_back(first, counted=False)
    (second,) = await claim(store)
    await store.put_back(second)
    (third,) = await claim(store)
    assert [each.attempt for each in (first, second, third)] == [1, 1, 2]


async def test_dead_letters_are_kept_replayed_and_discarded(store: WebhookStore) -> None:
    for number in range(4):
        await store.add(event(number))
    for each in await claim(store):
        await store.dead_letter(each, error=f"ValueError: \0\ud800 {each.id}")
        await asyncio.sleep(0.002)
    letters = [letter async for letter in store.dead_letters()]
    assert [letter.id for letter in letters] == ["id-0", "id-1", "id-2", "id-3"]
    assert letters[0].body == event(0).body
    assert letters[0].attempts == 1
    assert letters[0].error.endswith("id-0")
    assert letters[0].died_at >= letters[0].received_at
    assert (await store.counts()).dead == 4
    assert not await store.add(event(0))
    assert await store.replay("key/id-1", "key/id-1", "key/unknown", "\0\ud800") == 1
    (again,) = await claim(store)
    assert (again.id, again.attempt, again.body) == ("id-1", 1, event(1).body)
    assert await store.discard(letters[0].key) == 1
    assert not await store.add(event(0))
    assert await store.replay() == 2
    assert await store.discard() == 0
    assert (await store.counts()).dead == 0


async def test_many_dead_letters_are_read_in_pages(store: WebhookStore) -> None:
    await asyncio.gather(*(store.add(event(number)) for number in range(250)))
    await asyncio.gather(
        *(store.dead_letter(each, error="no") for each in await claim(store, 1000))
    )
    letters = [letter async for letter in store.dead_letters()]
    assert len({letter.id for letter in letters}) == len(letters) == 250


async def test_a_cursor_never_goes_back(store: WebhookStore) -> None:
    assert await store.cursor("orders") is None
    await store.move_cursor("orders", 5)
    await store.move_cursor("orders", 3)
    await store.move_cursor("returns", 1)
    assert await store.cursor("orders") == 5
    await store.move_cursor("orders", 2**40)
    assert await store.cursor("orders") == 2**40


async def test_waiting_events_outlive_the_process(place: Place) -> None:
    if place.kind == "memory":
        assert not place.memory.is_durable
        return
    async with place.opened() as store:
        assert store.is_durable
        await store.add(event())
        await claim(store, lease=0.0)
    async with place.opened() as store:
        assert not await store.add(event())
        (claimed,) = await claim(store)
        assert (claimed.id, claimed.attempt) == ("id-1", 2)


async def test_a_cancelled_add_leaves_the_store_working(store: WebhookStore) -> None:
    """The event is there or not, as whole; others are not held up."""
    tasks = [asyncio.create_task(store.add(event(number))) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(each is True for each in results[1::2])
    assert all(each is True or isinstance(each, asyncio.CancelledError) for each in results)
    stored = {each.id for each in await claim(store)}
    assert {f"id-{number}" for number in range(1, 20, 2)} <= stored
    for number in range(20):
        assert await store.add(event(number)) == (f"id-{number}" not in stored)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_store_works_in_one_event_loop_after_another(kind: str, tmp_path: Path) -> None:
    """As where tests share an application; a server's connections belong to one loop."""

    async def used(store: WebhookStore, number: int) -> None:
        assert await store.add(event(number))
        assert not await store.add(event(number))

    async def closed(opened: AsyncExitStack) -> None:
        await opened.aclose()

    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        place = runner.run(opened.enter_async_context(place_of(kind, tmp_path)))
        store = runner.run(opened.enter_async_context(place.opened()))
        asyncio.run(used(store, 1))
        asyncio.run(used(store, 2))
        runner.run(closed(opened))


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_a_full_store_raises_and_remembers_nothing(kind: str, tmp_path: Path) -> None:
    async with place_of(kind, tmp_path) as place, place.opened(max_waiting=1) as store:
        assert await store.add(event(1))
        with pytest.raises(WebhookStoreFullError):
            await store.add(event(2))
        assert not await store.add(event(1))
        (claimed,) = await claim(store)
        await store.finish(claimed)
        assert await store.add(event(2))


async def test_memory_forgets_when_the_time_is_over() -> None:
    now = 1_000_000.0
    store = MemoryWebhookStore(clock=lambda: now)
    await store.add(event(1, aliases=frozenset({"sent:1"})))
    (claimed,) = await claim(store)
    await store.finish(claimed)
    now += 2 * 86400
    await store.forget()
    assert not await store.add(event(1))
    now += 86400 + 1
    await store.forget()
    assert not store._remembered
    assert await store.add(event(1))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_sql_forgets_when_the_time_is_over(kind: str, tmp_path: Path) -> None:
    """But nothing that still waits."""
    async with place_of(kind, tmp_path) as place, place.opened() as store:
        assert isinstance(store, SQLWebhookStore)
        await store.add(event(1))
        await store.finish((await claim(store))[0])
        await store.add(event(2))
        await store.add(event(3))
        await store.finish((await claim(store, 1))[0])
        names = store._tables.names
        async with store._database.connections.begin() as connection:
            aged = names.update().values(remembered_at=names.c.remembered_at - 4 * 86400)
            await connection.execute(aged.where(names.c.name != "key/id-2"))
        await store.forget()
        assert await store.add(event(1))
        assert not await store.add(event(2))
        assert not await store.add(event(3))


async def test_redis_forgets_by_itself() -> None:
    async with redis_prefix() as prefix, Redis.from_url(REDIS_URL) as client:
        async with RedisWebhookStore(client, prefix=prefix, remember=100_000) as store:
            await store.add(event(1, aliases=frozenset({"sent:1"})))
            await store.forget()
        for name in ("key/id-1", "key/sent:1"):
            assert 99_990 < await client.ttl(f"{prefix}name:{name}") <= 100_000


async def test_an_add_that_a_driver_sends_twice_results_alike() -> None:
    """The connection broke before the first response."""
    async with redis_prefix() as prefix, RedisWebhookStore(REDIS_URL, prefix=prefix) as store:
        run = store._run

        async def twice(*arguments: Any) -> Any:
            await run(*arguments)
            return await run(*arguments)

        store._run = twice  # type: ignore[method-assign, assignment]
        assert await store.add(event())
        assert not await store.add(event())


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "postgresql://127.0.0.1:1/none"])
async def test_a_server_that_is_away_is_an_error_of_ours(url: str) -> None:
    store, is_ours = open_store(url)
    assert is_ours
    with pytest.raises(WebhookStoreError) as raised:
        await store.add(event())
    assert raised.value.__cause__ is not None
    await store.aclose()  # type: ignore[attr-defined]


async def test_a_server_needs_its_tables() -> None:
    async with postgresql_database() as url, SQLWebhookStore(url) as store:
        with pytest.raises(WebhookStoreError, match="create_schema"):
            await store.add(event())
        await asyncio.gather(store.create_schema(), store.create_schema())
        assert await store.add(event())


def test_what_cannot_work_is_refused(tmp_path: Path) -> None:
    for refused in (
        lambda: SQLWebhookStore("sqlite://"),
        lambda: SQLWebhookStore("mysql+aiomysql://host/base"),
        lambda: SQLWebhookStore(f"sqlite:///{tmp_path}/w.db", table_prefix="a b"),
        lambda: SQLWebhookStore(f"sqlite:///{tmp_path}/w.db", remember=3600),
        lambda: MemoryWebhookStore(remember=3600),
        lambda: MemoryWebhookStore(max_waiting=0),
        lambda: RedisWebhookStore("redis://x", max_waiting=0),
        lambda: RedisWebhookStore(Redis(decode_responses=True)),
    ):
        with pytest.raises((InvalidArgumentError, ImportError)):
            refused()


async def test_neither_passwords_nor_bodies_are_shown() -> None:
    for store in (
        SQLWebhookStore("postgresql://user:pass-7@host/base"),
        RedisWebhookStore("redis://user:pass-7@host/0"),
    ):
        assert "pass-7" not in repr(store)
    store = MemoryWebhookStore()
    await store.add(NewEvent(id="1", body=b"Elm Street"))
    for shown in (store, NewEvent(id="1", body=b"Elm Street"), *await claim(store)):
        assert "Elm Street" not in repr(shown)


def test_a_path_is_a_sqlite_file(tmp_path: Path) -> None:
    store, is_ours = open_store(tmp_path / "webhooks.db")
    assert is_ours
    assert isinstance(store, SQLWebhookStore)
    memory = MemoryWebhookStore()
    assert open_store(memory) == (memory, False)
    assert isinstance(open_store(None)[0], MemoryWebhookStore)
