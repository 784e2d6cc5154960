"""Events that are deleted or evicted behind a store's back: they block no others."""

from __future__ import annotations

import asyncio

import pytest
from helpers.auth.databases import REDIS_URL, redis_prefix
from helpers.webhooks.stores.places import claim, event
from redis.asyncio import Redis
from sqlalchemy import delete
from webhooks.stores.test_order import DEAD, added, ids, of_object

from tiktok_shop_async.webhooks import RedisWebhookStore, SQLWebhookStore, WebhookStore
from tiktok_shop_async.webhooks.stores import redis

on_servers = pytest.mark.parametrize("place", ["sqlite", "postgresql", "redis"], indirect=True)


async def lose(store: WebhookStore, *numbers: int) -> None:
    """Delete events from the database itself."""
    keys = [f"key/id-{number}" for number in numbers]
    if isinstance(store, RedisWebhookStore):
        await store._client.delete(*(f"{store._prefix}event:{key}" for key in keys))
    else:
        assert isinstance(store, SQLWebhookStore)
        events = store._tables.main
        async with store._database.connections.begin() as connection:
            await connection.execute(delete(events).where(events.c.id.in_(keys)))


@on_servers
@pytest.mark.parametrize("is_claimed", [False, True])
async def test_an_event_that_vanished_does_not_block_later_ones(
    store: WebhookStore, is_claimed: bool
) -> None:
    """Neither the one that has its turn, nor one that is blocked."""
    await added(store, of_object(1), of_object(2), of_object(3), of_object(4, "other"))
    claims = await claim(store) if is_claimed else []
    await lose(store, 1, 2)
    for lost in claims:
        if lost.id == "id-1":
            await store.finish(lost)
    await store.forget()
    assert "id-3" in ids(await claim(store))
    assert (await store.counts()).waiting == 2
    assert sorted([each.id async for each in store.waiting()]) == ["id-3", "id-4"]


@on_servers
@pytest.mark.parametrize("is_claimed", [False, True])
async def test_a_new_event_of_an_object_begins_a_turn_whose_event_vanished(
    store: WebhookStore, is_claimed: bool
) -> None:
    await added(store, of_object(1))
    if is_claimed:
        await claim(store)
    await lose(store, 1)
    await added(store, of_object(2), of_object(3))
    assert ids(await claim(store)) == ["id-2"]
    assert await claim(store) == []


@on_servers
async def test_a_dead_letter_begins_a_turn_after_one_that_vanished(store: WebhookStore) -> None:
    await added(store, of_object(1), of_object(2), of_object(3))
    (first,) = await claim(store)
    await store.dead_letter(first, error=DEAD)
    await lose(store, 2)
    assert await store.replay() == 1
    for number in (1, 3):
        (claimed,) = await claim(store)
        assert claimed.id == f"id-{number}"
        await store.finish(claimed)


@on_servers
async def test_many_blocked_objects_are_released(
    store: WebhookStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there are more than are dealt with at once."""
    monkeypatch.setattr(redis, "PAGE", 7)
    await asyncio.gather(*(store.add(of_object(number, f"{number}")) for number in range(250)))
    await asyncio.gather(
        *(store.add(of_object(1000 + number, f"{number}")) for number in range(250))
    )
    await lose(store, *range(240))
    await store.forget()
    found = {int(each.removeprefix("id-")) for each in ids(await claim(store, 1000))}
    expected = {*range(1000, 1240), *range(240, 250)}
    found |= {int(each.removeprefix("id-")) for each in ids(await claim(store, 1000))}
    assert found == expected


async def test_forgetting_interrupts_no_turn(store: WebhookStore) -> None:
    """Nor does it begin a second one, whether the first is claimed, put back or due."""
    await added(store, *(of_object(number, f"{number % 3}") for number in range(9)))
    claimed = {each.id: each for each in await claim(store)}
    assert sorted(claimed) == ["id-0", "id-1", "id-2"]
    await store.put_back(claimed["id-1"])
    await store.dead_letter(claimed["id-2"], error=DEAD)
    await store.replay()
    await store.forget()
    assert sorted(ids(await claim(store))) == ["id-1", "id-5"]
    assert await claim(store) == []
    counts = await store.counts()
    assert (counts.waiting, counts.dead) == (9, 0)


async def test_a_dead_letter_that_vanished_is_not_replayed() -> None:
    async with redis_prefix() as prefix, RedisWebhookStore(REDIS_URL, prefix=prefix) as store:
        await added(store, event(1), event(2), of_object(3))
        for each in await claim(store):
            await store.dead_letter(each, error=DEAD)
        await lose(store, 1, 3)
        assert await store.replay() == 1
        assert ids(await claim(store)) == ["id-2"]
        counts = await store.counts()
        assert (counts.waiting, counts.dead) == (1, 0)
        async with Redis.from_url(REDIS_URL) as client:
            assert not await client.exists(f"{prefix}event:key/id-1")


async def test_a_queue_that_was_evicted_is_made_again() -> None:
    """In the order in which its events were added."""
    async with redis_prefix() as prefix, RedisWebhookStore(REDIS_URL, prefix=prefix) as store:
        await added(store, *(of_object(number) for number in range(4)))
        async with Redis.from_url(REDIS_URL) as client:
            await client.delete(f"{prefix}queue:key/order")
        await store.forget()
        for number in range(4):
            (claimed,) = await claim(store)
            assert claimed.id == f"id-{number}"
            await store.finish(claimed)
