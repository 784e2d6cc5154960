"""Keys of events: ids are those of an app, and may have any length and any characters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import attrs
import pytest
from auth.databases import REDIS_URL, postgresql_database, redis_prefix
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from webhooks.serving import delivery
from webhooks.stores.places import claim, event

from tiktok_shop_async import WebhookStoreError
from tiktok_shop_async.webhooks import (
    ClaimedEvent,
    NewEvent,
    RedisWebhookStore,
    SQLWebhookStore,
    WebhookEvent,
    WebhookReceiver,
    Webhooks,
    WebhookStore,
)
from tiktok_shop_async.webhooks.stores.base import MAX_KEY_LENGTH, key_of

LONG = "7" * 9_000


def test_keys_are_distinct_readable_and_short() -> None:
    assert key_of("7380066284010030890", "123abc") == "123abc/7380066284010030890"
    names = ["1", "a/1", "/1", "", LONG, LONG + "7", "\0", "\ud800", "\udfff", "é", "sha256:1"]
    keys = {key_of(name, app) for name in names for app in (None, "a", "a/", "b", LONG, "\ud800")}
    assert len(keys) == len(names) * 6
    for key in keys:
        assert len(key) <= MAX_KEY_LENGTH
        assert key.isascii()
        assert key.isprintable()


async def test_two_apps_may_have_the_same_ids(store: WebhookStore) -> None:
    """Also as names of changes: what one app was sent keeps nothing from the other."""
    ours = event(1, aliases=frozenset({"sent:1"}))
    others = attrs.evolve(ours, app_key="other", body=b"other")
    assert await store.add(ours)
    assert await store.add(others)
    assert not await store.add(others)
    assert not await store.add(event(2, unless=frozenset({"sent:1"})))
    assert await store.add(attrs.evolve(event(2), app_key="third", unless=frozenset({"sent:1"})))
    claims = {each.app_key: each for each in await claim(store) if each.id == "id-1"}
    assert claims["other"].body == b"other"
    await store.finish(claims["key"])
    await store.dead_letter(claims["other"], error="no")
    (letter,) = [each async for each in store.dead_letters()]
    assert (letter.id, letter.app_key) == ("id-1", "other")
    assert await store.discard(claims["key"].key) == 0
    assert await store.replay(letter.key) == 1
    (again,) = await claim(store)
    assert (again.id, again.app_key, again.key) == ("id-1", "other", letter.key)


async def test_a_long_id_is_kept_like_others(store: WebhookStore) -> None:
    """It is added with 40 others at once, and with a name as long; handlers see the id."""
    long = NewEvent(id=LONG, body=b"long", app_key="key", aliases=frozenset({"sent:" + LONG}))
    others = [event(number) for number in range(40)]
    added = await asyncio.gather(*(store.add(each) for each in (*others[:20], long, *others[20:])))
    assert all(added)
    assert not await store.add(long)
    assert not await store.add(event(41, unless=frozenset({"sent:" + LONG})))
    (claimed,) = [each for each in await claim(store) if each.id == LONG]
    await store.dead_letter(claimed, error="no")
    (letter,) = [each async for each in store.dead_letters()]
    assert (letter.id, letter.body) == (LONG, b"long")
    assert await store.replay(letter.key) == 1


@pytest.mark.parametrize("position", [0, 20, 40])
async def test_what_a_database_rejects_fails_alone(store: WebhookStore, position: int) -> None:
    """Events added at the same time are stored, and other claims and results are not affected."""
    assert await store.add(event(1000))
    (held,) = await claim(store)
    events = [event(number) for number in range(40)]
    odd = [attrs.evolve(event(2000), app_key="\0"), attrs.evolve(event(2001), id="\ud800")]
    work: list[Awaitable[object]] = [store.add(each) for each in events]
    work[position:position] = [store.add(odd[0]), store.finish(held), store.add(odd[1])]
    results = await asyncio.gather(*work, return_exceptions=True)
    rejected = [each for each in results if isinstance(each, BaseException)]
    assert all(type(each) is WebhookStoreError for each in rejected)
    assert results.count(True) + len(rejected) == 42
    assert {each.id for each in events} <= {each.id for each in await claim(store)}
    assert not await store.add(event(1000))
    for each in odd if not rejected else ():
        assert not await store.add(each)


async def test_two_apps_with_one_receiver(store: WebhookStore) -> None:
    """Both get 200 for the same notification id, and both are handled."""
    both = Webhooks("one", "secret", other_apps={"two": "another"})
    handled: list[str] = []
    async with WebhookReceiver(both, store=store) as receiver:
        is_done = asyncio.Event()

        @receiver.on(WebhookEvent)
        async def note(event: WebhookEvent) -> None:
            handled.append(f"{event.app_key} {event.id}")
            if len(handled) == 2:
                is_done.set()

        for webhooks in (both, Webhooks("two", "another")):
            for _ in range(2):
                signature = webhooks.sign(delivery())
                assert await receiver.receive(delivery(), signature) == 200
        async with asyncio.timeout(120):
            await is_done.wait()
    assert sorted(handled) == ["one 1", "two 1"]


def odd_deliveries() -> list[bytes]:
    digits = b"9" * 5_000
    return [
        delivery("a\0b"),
        delivery("\ud800"),
        delivery(LONG),
        delivery(1, order_id=LONG),
        delivery(2, order_status="\0"),
        delivery(3, order_status="\ud800"),
        delivery(4, update_time=2**70),
        delivery(5, update_time=1).replace(b'"update_time":1', b'"update_time":' + digits),
        delivery(6, update_time=1).replace(b'"update_time":1', b'"update_time":1e999'),
        delivery(7).replace(b'"shop_id":', b'"shop_id":[1],"other":'),
        delivery(8).replace(b'"timestamp":', b'"timestamp":-' + digits + b',"other":'),
        delivery(9).replace(b'"type":1', b'"type":' + digits),
        delivery(10, note="x" * 900_000),
        b"{}",
    ]


async def test_odd_deliveries_are_all_kept(store: WebhookStore) -> None:
    """At once, with 40 good ones; nothing about one of them keeps another out."""
    webhooks = Webhooks("key", "secret")
    bodies = odd_deliveries() + [delivery(f"good-{number}") for number in range(40)]
    async with WebhookReceiver(webhooks, store=store) as receiver:
        for _ in range(2):
            statuses = await asyncio.gather(
                *(receiver.receive(body, webhooks.sign(body)) for body in bodies)
            )
            assert statuses == [200] * len(bodies)
        async with asyncio.timeout(120):
            while (await store.counts()).waiting:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)
        assert (await store.counts()).dead == 0


VERSION_1 = """
CREATE TABLE tiktok_shop_webhook_schema (id integer PRIMARY KEY, version integer NOT NULL);
INSERT INTO tiktok_shop_webhook_schema VALUES (1, 1);
CREATE TABLE tiktok_shop_webhook_events (id text PRIMARY KEY, state text NOT NULL,
    due double precision NOT NULL, attempts integer NOT NULL, claim text NOT NULL,
    received_at double precision NOT NULL, body {bytes} NOT NULL, app_key text, error text,
    died_at double precision);
CREATE TABLE tiktok_shop_webhook_names
    (name text PRIMARY KEY, remembered_at double precision NOT NULL);
CREATE TABLE tiktok_shop_webhook_cursors (name text PRIMARY KEY, position bigint NOT NULL);
INSERT INTO tiktok_shop_webhook_events VALUES
    ('id-1', 'waiting', 1, 0, '', 1, {one}, 'key', NULL, NULL),
    ('id-2', 'dead', 1, 5, '', 1, {two}, 'key', 'no', 1);
INSERT INTO tiktok_shop_webhook_names VALUES ('id-1', 1), ('id-2', 1), ('id-3', 1), ('sent:3', 1)
"""


async def create_version_1(connection: AsyncConnection) -> None:
    words = {
        "sqlite": {"bytes": "blob", "one": "x'31'", "two": "x'32'"},
        "postgresql": {"bytes": "bytea", "one": "'1'", "two": "'2'"},
    }[connection.dialect.name]
    for statement in VERSION_1.format_map(words).split(";"):
        await connection.execute(text(statement))


async def check_what_an_earlier_version_kept(store: WebhookStore) -> None:
    """Its events are handled, its dead letters replayed, and its names hold for every app."""
    for number in (1, 2, 3):
        for app_key in ("key", "other", None):
            assert not await store.add(attrs.evolve(event(number), app_key=app_key))
    assert not await store.add(event(4, unless=frozenset({"sent:3"})))
    assert await store.add(event(5))
    waiting: dict[str, ClaimedEvent] = {each.id: each for each in await claim(store)}
    assert sorted(waiting) == ["id-1", "id-5"]
    assert (waiting["id-1"].body, waiting["id-1"].app_key) == (b"1", "key")
    (letter,) = [each async for each in store.dead_letters()]
    assert (letter.id, letter.key, letter.body, letter.error) == ("id-2", "id-2", b"2", "no")
    for each in waiting.values():
        await store.finish(each)
    assert await store.replay(letter.key) == 1
    assert [each.id for each in await claim(store)] == ["id-2"]


async def check_that_events_are_put_in_order(store: WebhookStore) -> None:
    for number in (7, 8):
        new = event(number, object="order", state="status", changed_at=20 - number)
        assert await store.add(new)
    (claimed,) = [each for each in await claim(store) if each.id != "id-6"]
    assert claimed.id == "id-7"
    await store.finish(claimed)
    (claimed,) = await claim(store)
    assert (claimed.id, claimed.is_outdated) == ("id-8", True)


async def test_sqlite_tables_of_version_1_are_migrated(tmp_path: Path) -> None:
    async with SQLWebhookStore(tmp_path / "webhooks.db") as store:
        async with store._database.connections.connect() as connection:
            await create_version_1(connection)
        await check_what_an_earlier_version_kept(store)
        assert await store.add(event(6))
        await check_that_events_are_put_in_order(store)


async def test_postgresql_tables_of_version_1_are_migrated() -> None:
    async with postgresql_database() as url, SQLWebhookStore(url) as store:
        async with store._database.connections.begin() as connection:
            await create_version_1(connection)
        with pytest.raises(WebhookStoreError, match=r"an earlier release.*create_schema"):
            await store.add(event(1))
        await asyncio.gather(store.create_schema(), store.create_schema())
        await check_what_an_earlier_version_kept(store)
        await check_that_events_are_put_in_order(store)


async def test_redis_reads_events_of_an_earlier_version() -> None:
    async with redis_prefix() as prefix, Redis.from_url(REDIS_URL) as client:
        for number, more in ((1, {}), (2, {"error": "no", "died_at": "1.0"})):
            fields = {"body": f"{number}", "app_key": "key", "attempts": 0, "claim": ""}
            mapping = {**fields, "received_at": "1.0", **more}
            await client.hset(f"{prefix}event:id-{number}", mapping=mapping)
        await client.zadd(f"{prefix}waiting", {"id-1": 1.0})
        await client.zadd(f"{prefix}dead", {"id-2": 1.0})
        for name in ("id-1", "id-2", "id-3", "sent:3"):
            await client.set(f"{prefix}name:{name}", "", ex=1000)
        async with RedisWebhookStore(client, prefix=prefix) as store:
            await check_what_an_earlier_version_kept(store)
