"""Events of one object are handled one after another, in every store."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from auth.databases import REDIS_URL, redis_prefix
from redis.asyncio import Redis
from webhooks.stores.places import LEASE, Place, claim, event, place_of

from tiktok_shop_async import WebhookStoreFullError
from tiktok_shop_async.webhooks import (
    ClaimedEvent,
    MemoryWebhookStore,
    NewEvent,
    RedisWebhookStore,
    SQLWebhookStore,
    WebhookStore,
)

DEAD = "it failed"


def ids(claims: Any) -> list[str]:
    return [each.id for each in claims]


def of_object(number: int, name: str = "order", **facts: Any) -> NewEvent:
    return event(number, object=name, **facts)


async def added(store: WebhookStore, *events: NewEvent) -> None:
    for each in events:
        assert await store.add(each)


async def test_events_of_an_object_come_one_after_another(store: WebhookStore) -> None:
    await added(store, *(of_object(number) for number in range(4)))
    assert (await store.counts()).waiting == 4
    for number in range(4):
        (claimed,) = await claim(store)
        assert claimed.id == f"id-{number}"
        assert await claim(store) == []
        await store.finish(claimed)
    assert (await store.counts()).waiting == 0


async def test_other_events_come_beside_them(store: WebhookStore) -> None:
    """Those of other objects, of the same object of another app, and of none."""
    other_app = NewEvent(id="id-6", body=b"", app_key="other", object="order")
    await added(store, of_object(1), of_object(2), of_object(3, "package"), event(4), event(5))
    await added(store, other_app)
    assert sorted(ids(await claim(store))) == ["id-1", "id-3", "id-4", "id-5", "id-6"]


async def test_an_object_that_was_handled_begins_anew(store: WebhookStore) -> None:
    for number in range(3):
        await added(store, of_object(number))
        (claimed,) = await claim(store)
        await store.finish(claimed)
        await store.finish(claimed)


async def test_an_event_that_waits_for_its_next_attempt_holds_back_later_ones(
    store: WebhookStore,
) -> None:
    await added(store, of_object(1), of_object(2))
    (claimed,) = await claim(store)
    await store.put_back(claimed, after=LEASE)
    assert await claim(store) == []
    await added(store, of_object(3))
    assert await claim(store) == []


async def test_an_event_that_is_put_back_comes_before_later_ones(store: WebhookStore) -> None:
    await added(store, of_object(1), of_object(2))
    (claimed,) = await claim(store)
    await store.put_back(claimed)
    (again,) = await claim(store)
    assert (again.id, again.attempt) == ("id-1", 2)


async def test_a_dead_letter_releases_the_next_event(store: WebhookStore) -> None:
    await added(store, of_object(1), of_object(2))
    (claimed,) = await claim(store)
    await store.dead_letter(claimed, error=DEAD)
    (following,) = await claim(store)
    assert following.id == "id-2"
    counts = await store.counts()
    assert (counts.waiting, counts.dead) == (1, 1)


async def test_a_replayed_dead_letter_takes_its_turn(store: WebhookStore) -> None:
    """Not beside the event that is being handled, and before those that were received later."""
    await added(store, *(of_object(number) for number in range(4)))
    for _ in range(2):
        (claimed,) = await claim(store)
        await store.dead_letter(claimed, error=DEAD)
    (running,) = await claim(store)
    assert running.id == "id-2"
    assert await store.replay() == 2
    assert await claim(store) == []
    await store.finish(running)
    for number in (0, 1, 3):
        (claimed,) = await claim(store)
        assert (claimed.id, claimed.attempt) == (f"id-{number}", 1)
        await store.finish(claimed)


async def test_a_replayed_dead_letter_is_due_if_nothing_else_waits(store: WebhookStore) -> None:
    await added(store, of_object(1), event(2))
    for claimed in await claim(store):
        await store.dead_letter(claimed, error=DEAD)
    assert await store.replay() == 2
    assert sorted(ids(await claim(store))) == ["id-1", "id-2"]


async def test_a_discarded_dead_letter_holds_nothing_back(store: WebhookStore) -> None:
    await added(store, of_object(1), of_object(2))
    (claimed,) = await claim(store)
    await store.dead_letter(claimed, error=DEAD)
    assert await store.discard() == 1
    (following,) = await claim(store)
    await store.finish(following)
    await added(store, of_object(3))
    assert ids(await claim(store)) == ["id-3"]


async def test_a_lease_that_ends_does_not_release_the_next_event(store: WebhookStore) -> None:
    """Another process gets the same event, and what the first one says of it counts no more."""
    await added(store, of_object(1), of_object(2))
    (lost,) = await claim(store, lease=0.0)
    (claimed,) = await claim(store)
    assert (claimed.id, claimed.attempt) == ("id-1", 2)
    await store.finish(lost)
    await store.dead_letter(lost, error=DEAD)
    await store.put_back(lost)
    assert await claim(store) == []
    await store.finish(claimed)
    assert ids(await claim(store)) == ["id-2"]


async def test_a_claim_whose_lease_ended_counts_until_another_has_the_event(
    store: WebhookStore,
) -> None:
    await added(store, of_object(1), of_object(2))
    (late,) = await claim(store, lease=0.0)
    await store.finish(late)
    assert ids(await claim(store)) == ["id-2"]


async def test_events_that_are_held_back_are_shown_and_waited_for(store: WebhookStore) -> None:
    await added(store, of_object(1), of_object(2), event(3))
    first, other = sorted(await claim(store), key=lambda each: each.id)
    shown = {each.id: each.is_being_handled async for each in store.waiting()}
    assert shown == {"id-1": True, "id-2": False, "id-3": True}
    joining = asyncio.create_task(store.join())
    await store.finish(other)
    await store.finish(first)
    (following,) = await claim(store)
    assert not joining.done()
    await store.finish(following)
    async with asyncio.timeout(20):
        await joining


async def test_a_repeated_delivery_changes_nothing(store: WebhookStore) -> None:
    await added(store, of_object(1), of_object(2))
    assert not await store.add(of_object(1))
    assert not await store.add(of_object(2))
    assert (await store.counts()).waiting == 2
    (claimed,) = await claim(store)
    await store.finish(claimed)
    assert not await store.add(of_object(1))
    (claimed,) = await claim(store)
    await store.finish(claimed)
    assert await claim(store) == []


def state(number: int, changed_at: int, name: str = "status") -> NewEvent:
    return of_object(number, state=name, changed_at=changed_at)


async def handled(store: WebhookStore) -> list[tuple[str, bool]]:
    seen = []
    while claims := await claim(store):
        for each in claims:
            seen.append((each.id, each.is_outdated))
            await store.finish(each)
    return seen


async def test_an_event_older_than_what_was_handled_is_outdated(store: WebhookStore) -> None:
    """Equal times are not; nor are events of another state, or without a time."""
    await added(store, state(1, 20), state(2, 10), state(3, 20), state(4, 10, "address"))
    await added(store, of_object(5), state(6, 19), state(7, 21))
    assert await handled(store) == [
        ("id-1", False),
        ("id-2", True),
        ("id-3", False),
        ("id-4", False),
        ("id-5", False),
        ("id-6", True),
        ("id-7", False),
    ]
    await added(store, state(8, 20), NewEvent(id="9", body=b"", object="o", state="status"))
    await added(
        store, NewEvent(id="10", body=b"", app_key="b", object="o", state="status", changed_at=1)
    )
    assert sorted(await handled(store)) == [("10", False), ("9", False), ("id-8", True)]


async def test_only_what_was_handled_outdates_others(store: WebhookStore) -> None:
    """A dead letter does not, and is outdated itself when it is replayed."""
    await added(store, state(1, 20), state(2, 10))
    (claimed,) = await claim(store)
    await store.dead_letter(claimed, error=DEAD)
    assert await handled(store) == [("id-2", False)]
    await added(store, state(3, 30))
    assert await handled(store) == [("id-3", False)]
    await store.replay()
    assert await handled(store) == [("id-1", True)]


async def test_an_attempt_that_failed_is_not_outdated_by_itself(store: WebhookStore) -> None:
    await added(store, state(1, 20))
    (claimed,) = await claim(store)
    await store.put_back(claimed)
    assert await handled(store) == [("id-1", False)]


async def test_many_processes_never_have_two_events_of_an_object(place: Place) -> None:
    """As they add, claim, put back and finish at once; each object's events come in order."""
    random = Random(7)  # noqa: S311
    order: dict[str, list[int]] = {}
    busy: Counter[str] = Counter()
    async with AsyncExitStack() as opened:
        stores = [await opened.enter_async_context(place.opened()) for _ in range(4)]

        async def add(name: str) -> None:
            for number in range(8):
                store = random.choice(stores)
                new = NewEvent(id=f"{name}/{number}", body=b"", app_key="key", object=name)
                assert await store.add(new)

        async def work(store: WebhookStore) -> None:
            while sum(len(each) for each in order.values()) < 12 * 8:
                for claimed in await store.claim(3, lease=LEASE):
                    await handle(store, claimed)
                await asyncio.sleep(0.001)

        async def handle(store: WebhookStore, claimed: ClaimedEvent) -> None:
            name, _, number = claimed.id.partition("/")
            busy[name] += 1
            assert busy[name] == 1
            await asyncio.sleep(0)
            busy[name] -= 1
            if random.random() < 0.2:
                await store.put_back(claimed)
            else:
                order.setdefault(name, []).append(int(number))
                await store.finish(claimed)

        async with asyncio.timeout(60):
            await asyncio.gather(
                *(add(f"order-{number}") for number in range(12)), *map(work, stores)
            )
    assert order == {f"order-{number}": list(range(8)) for number in range(12)}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_sql_forgets_objects_and_states(kind: str, tmp_path: Path) -> None:
    """But no object of which an event waits, or is a dead letter."""
    async with place_of(kind, tmp_path) as place, place.opened() as store:
        assert isinstance(store, SQLWebhookStore)
        tables = store._tables
        await added(store, of_object(1, "waiting"), of_object(2, "waiting"))
        await added(store, of_object(3, "dead"), of_object(4, "handled", state="s", changed_at=5))
        for claimed in await claim(store, 3):
            if claimed.id == "id-3":
                await store.dead_letter(claimed, error=DEAD)
            elif claimed.id == "id-4":
                await store.finish(claimed)
        async with store._database.connections.begin() as connection:
            age = tables.objects.c.touched_at - 4 * 86400
            await connection.execute(tables.objects.update().values(touched_at=age))
            assert len((await connection.execute(tables.states.select())).all()) == 1
            age = tables.states.c.handled_at - 4 * 86400
            await connection.execute(tables.states.update().values(handled_at=age))
        await store.forget()
        async with store._database.connections.begin() as connection:
            objects = (await connection.execute(tables.objects.select())).all()
            assert sorted(row.name for row in objects) == ["key/dead", "key/waiting"]
            assert (await connection.execute(tables.states.select())).all() == []


async def test_memory_forgets_states() -> None:
    now = 0.0
    store = MemoryWebhookStore(clock=lambda: now)
    await added(store, state(1, 20))
    assert await handled(store) == [("id-1", False)]
    now += 4 * 86400
    await store.forget()
    await added(store, state(2, 10))
    assert await handled(store) == [("id-2", False)]


async def test_redis_keeps_only_the_states_of_handled_events() -> None:
    """Remembered names and states expire by themselves."""
    async with redis_prefix() as prefix, Redis.from_url(REDIS_URL) as client:
        async with RedisWebhookStore(client, prefix=prefix) as store:
            await added(store, state(1, 20), state(2, 10), of_object(3, "package"))
            assert len(await handled(store)) == 3
        names = {name.decode() async for name in client.scan_iter(match=f"{prefix}*")}
        left = {name.removeprefix(prefix).partition(":")[0] for name in names}
        assert left == {"name", "state", "position"}
        assert 0 < await client.ttl(f"{prefix}state:key/status") <= 3 * 86400


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_events_that_are_held_back_take_room_too(kind: str, tmp_path: Path) -> None:
    async with place_of(kind, tmp_path) as place, place.opened(max_waiting=2) as store:
        await added(store, of_object(1), of_object(2))
        with pytest.raises(WebhookStoreFullError):
            await store.add(of_object(3))
