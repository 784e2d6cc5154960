"""A webhook store whose database loses a connection: each event is kept and taken once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from batch.lost_connections import Proxy, proxied_database

from tiktok_shop_async._storage.sql import group_commit
from tiktok_shop_async.errors import WebhookStoreError
from tiktok_shop_async.webhooks import ClaimedEvent, NewEvent, SQLWebhookStore

Stores = tuple[SQLWebhookStore, SQLWebhookStore, Proxy]


@pytest.fixture
async def stores(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stores]:
    """A store through a proxy, the same store without it, and the proxy."""
    monkeypatch.setattr(group_commit, "MIN_PAUSE", 0.001)
    async with (
        proxied_database() as (url, through, proxy),
        SQLWebhookStore(url) as direct,
        SQLWebhookStore(through) as store,
    ):
        await direct.create_schema()
        await store.counts()  # now there is a connection to lose
        yield store, direct, proxy


async def lose(loss: str, proxy: Proxy) -> None:
    if loss == "terminated":
        await proxy.terminate_all()
    else:
        setattr(proxy, loss, 1)


losses = pytest.mark.parametrize("loss", ["terminated", "lost_before", "lost_after"])


async def add(store: SQLWebhookStore, *ids: str) -> list[bool]:
    return await asyncio.gather(*(store.add(NewEvent(id=each, body=b"{}")) for each in ids))


def ids(claims: Sequence[ClaimedEvent]) -> set[str]:
    return {each.id for each in claims}


@losses
async def test_an_event_is_kept_once(stores: Stores, loss: str) -> None:
    """The event counts as new or, after a lost response, as known; in both cases it is handled."""
    store, direct, proxy = stores
    await lose(loss, proxy)
    added = await add(store, "1", "2")
    assert added == [loss != "lost_after"] * 2
    assert (await direct.counts()).waiting == 2
    assert await add(direct, "1", "2") == [False, False]


@losses
async def test_claims_whose_response_was_lost_are_ours(stores: Stores, loss: str) -> None:
    """None is left to wait for the end of its lease, and none has an attempt too many."""
    store, direct, proxy = stores
    await add(direct, "1", "2", "3")
    await lose(loss, proxy)
    claims = await store.claim(2, lease=60)
    assert len(claims) == 2
    assert {each.attempt for each in claims} == {1}
    assert ids(await direct.claim(9, lease=60)) == {"1", "2", "3"} - ids(claims)
    await asyncio.gather(*(store.finish(each) for each in claims))
    assert (await direct.counts()).waiting == 1


@losses
async def test_the_results_of_claims_are_stored(stores: Stores, loss: str) -> None:
    store, direct, proxy = stores
    await add(direct, "done", "again", "dead")
    claims = {each.id: each for each in await store.claim(3, lease=60)}
    await lose(loss, proxy)
    await asyncio.gather(
        store.finish(claims["done"]),
        store.put_back(claims["again"], counted=False),
        store.dead_letter(claims["dead"], error="no"),
        store.renew([claims["done"]], lease=60),
    )
    counts = await direct.counts()
    assert (counts.waiting, counts.dead) == (1, 1)
    (again,) = await direct.claim(9, lease=60)
    assert (again.id, again.attempt) == ("again", 1)


async def test_a_replay_is_not_repeated(stores: Stores) -> None:
    """A retry would return the wrong count; the caller gets the error, and can call again."""
    store, direct, proxy = stores
    await add(direct, "1")
    (claim,) = await store.claim(1, lease=60)
    await store.dead_letter(claim, error="no")
    proxy.lost_after = 1
    with pytest.raises(WebhookStoreError):
        await store.replay()
    assert (await store.counts()).waiting == 1
