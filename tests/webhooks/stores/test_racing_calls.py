"""Calls of a store that race with each other, with a cancellation or with its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.auth.databases import REDIS_URL, redis_prefix
from helpers.webhooks.stores.places import LEASE, claim, event, place_of
from redis.asyncio import Redis
from webhooks.stores.test_order import DEAD, added, ids, of_object
from webhooks.stores.test_same_change import postgresql_store, waits_for_a_lock

from tiktok_shop_async.webhooks import RedisWebhookStore, SQLWebhookStore, WebhookStore


async def test_a_replay_strands_no_dead_letter_that_comes_meanwhile() -> None:
    """It waits for the lock of an object, while an event of another one becomes a dead letter."""
    async with postgresql_store() as (store, connection):
        url = store._database.connections.url
        async with SQLWebhookStore(url) as other:
            await added(store, of_object(1, "a"), of_object(2, "b"))
            first, second = sorted(await claim(store), key=lambda each: each.id)
            await store.dead_letter(first, error=DEAD)
            await connection.execute("BEGIN")
            await connection.execute(
                "SELECT 1 FROM tiktok_shop_webhook_objects WHERE name = 'key/a' FOR UPDATE"
            )
            replaying = asyncio.create_task(store.replay())
            await waits_for_a_lock(connection)
            await other.dead_letter(second, error=DEAD)
            await connection.execute("COMMIT")
            replayed = await replaying + await store.replay()
            assert (replayed, sorted(ids(await claim(store)))) == (2, ["id-1", "id-2"])


async def test_two_claims_of_an_event_may_be_finished_at_once(store: WebhookStore) -> None:
    """As where one process got it twice: the later claim counts, whichever comes first."""
    for number in range(2):
        await added(store, of_object(number))
        (lost,) = await claim(store, lease=0.0)
        (held,) = await claim(store)
        both = [lost, held] if number else [held, lost]
        await asyncio.gather(*map(store.finish, both))
        assert (await store.counts()).waiting == 0


async def test_a_claim_that_is_cancelled_as_its_store_closes_is_put_back() -> None:
    """The database has it already."""
    async with postgresql_store() as (other, connection):
        await other.add(event())
        store = SQLWebhookStore(other._database.connections.url)
        await store.counts()
        await connection.execute("BEGIN")
        await connection.execute("LOCK TABLE tiktok_shop_webhook_events IN EXCLUSIVE MODE")
        claiming = asyncio.create_task(store.claim(1, lease=LEASE))
        await waits_for_a_lock(connection)
        claiming.cancel()
        await asyncio.wait([claiming])
        closing = asyncio.create_task(store.aclose())
        await asyncio.sleep(0)
        await connection.execute("COMMIT")
        await closing
        (claimed,) = await claim(other)
        assert claimed.attempt == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_claim_that_is_cancelled_as_its_answer_comes_is_put_back(
    kind: str, tmp_path: Path
) -> None:
    async with place_of(kind, tmp_path) as place, place.opened() as store:
        assert isinstance(store, SQLWebhookStore)
        await store.add(event())
        commit = store._commit
        assert commit is not None
        deliver = commit._deliver

        def deliver_and_cancel(*arguments: Any) -> None:
            deliver(*arguments)
            claiming.cancel()

        commit._deliver = deliver_and_cancel  # type: ignore[method-assign]
        claiming = asyncio.create_task(store.claim(1, lease=LEASE))
        await asyncio.wait([claiming])
        assert claiming.cancelled()
        commit._deliver = deliver  # type: ignore[method-assign]
        (claimed,) = await claim(store)
        assert claimed.attempt == 1


class SlowRedis(Redis):
    """A client whose responses can be held back."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.has_executed = asyncio.Event()
        self.may_respond = asyncio.Event()
        self.may_respond.set()

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        response = await super().execute_command(*arguments, **options)
        self.has_executed.set()
        await self.may_respond.wait()
        return response


@asynccontextmanager
async def slow_redis() -> AsyncIterator[tuple[str, SlowRedis]]:
    async with redis_prefix() as prefix, SlowRedis.from_url(REDIS_URL) as client:
        assert isinstance(client, SlowRedis)
        yield prefix, client


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_a_claim_in_redis_that_is_cancelled_is_put_back(cancellations: int) -> None:
    """The server has it already, and the cancellation is not dropped."""
    async with slow_redis() as (prefix, client):
        store = RedisWebhookStore(client, prefix=prefix)
        await added(store, event(1), event(2), of_object(3))
        assert ids(await claim(store, 1)) == ["id-1"]
        client.has_executed.clear()
        client.may_respond.clear()
        claiming = asyncio.create_task(store.claim(9, lease=LEASE))
        await client.has_executed.wait()
        for _ in range(cancellations):
            claiming.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        client.may_respond.set()
        await asyncio.wait([claiming])
        assert claiming.cancelled()
        claims = await claim(store)
        assert {each.id: each.attempt for each in claims} == {"id-2": 1, "id-3": 1}


async def test_counts_miss_no_event_that_is_replayed_meanwhile() -> None:
    async with (
        slow_redis() as (prefix, client),
        RedisWebhookStore(REDIS_URL, prefix=prefix) as other,
    ):
        store = RedisWebhookStore(client, prefix=prefix)
        await added(other, event())
        (claimed,) = await claim(other)
        await other.dead_letter(claimed, error=DEAD)
        await store.counts()
        client.has_executed.clear()
        client.may_respond.clear()
        counting = asyncio.create_task(store.counts())
        await client.has_executed.wait()
        await other.replay()
        client.may_respond.set()
        counts = await counting
        assert counts.waiting + counts.dead == 1
