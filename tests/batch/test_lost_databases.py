"""Journals whose database loses a connection: no outcome is lost, and none is made up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from helpers.batch.lost_connections import Proxy, proxied_database
from helpers.client import envelope, new_client

from tiktok_shop_async._storage.sql import engine, group_commit
from tiktok_shop_async.batch import Busy, Claim, Record, SQLJournal, run_batch
from tiktok_shop_async.errors import JournalError

DONE = Record(key="1", status="succeeded", message="done")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MIN_PAUSE", 0.001)
    monkeypatch.setattr(group_commit, "MAX_PAUSE", 0.05)


@pytest.fixture
async def database() -> AsyncIterator[tuple[SQLJournal, SQLJournal, Proxy]]:
    """A journal through a proxy, the same journal without it, and the proxy."""
    async with (
        proxied_database() as (url, through, proxy),
        SQLJournal(url) as direct,
        SQLJournal(through) as journal,
    ):
        await direct.create_schema()
        yield journal, direct, proxy


Loss = Callable[[Proxy], Any]
LOSSES: dict[str, Loss] = {
    "the connection was terminated": lambda proxy: proxy.terminate_all(),
    "the commit was lost": lambda proxy: setattr(proxy, "lost_before", 2),
    "the response to the commit was lost": lambda proxy: setattr(proxy, "lost_after", 1),
    "both": lambda proxy: (setattr(proxy, "lost_after", 2), setattr(proxy, "lost_before", 1)),
}
Database = tuple[SQLJournal, SQLJournal, Proxy]


async def lose(loss: str, proxy: Proxy) -> None:
    done = LOSSES[loss](proxy)
    if asyncio.iscoroutine(done):
        await done


@pytest.mark.parametrize("loss", LOSSES)
async def test_finish_is_repeated_on_a_new_connection(database: Database, loss: str) -> None:
    """Whether or not the first attempt was committed, it is final and ours."""
    journal, direct, proxy = database
    async with journal.open() as session, direct.open() as other:
        await session.claim("1")
        await lose(loss, proxy)
        assert await session.finish(DONE)
        assert await other.claim("1") == DONE
        assert await session.claim("2")


@pytest.mark.parametrize("loss", LOSSES)
async def test_finish_says_so_if_another_has_the_request_by_now(
    database: Database, loss: str
) -> None:
    journal, direct, proxy = database
    async with journal.open() as session, direct.open() as other:
        await session.claim("1")
        await session.abandon("1")
        claim = await other.claim("1")
        assert isinstance(claim, Claim)
        await other.finish(Record(key="1", status="failed"))
        await lose(loss, proxy)
        assert not await session.finish(DONE)


@pytest.mark.parametrize("loss", LOSSES)
async def test_claims_whose_response_was_lost_are_ours_and_were_not_sent(
    database: Database, loss: str
) -> None:
    journal, direct, proxy = database
    async with journal.open() as session, direct.open() as other:
        await session.claim("before")  # now there is a connection to lose
        await other.claim("theirs")
        await lose(loss, proxy)
        claims = await asyncio.gather(
            *(session.claim(key, idempotency_key=f"key of {key}") for key in ("1", "2", "theirs"))
        )
        for each in claims[:2]:
            assert isinstance(each, Claim)
            assert not each.maybe_sent
            assert each.idempotency_key == f"key of {each.key}"
            session.check(each.key)
        assert isinstance(claims[2], Busy)
        assert not claims[2].is_own
        assert isinstance(await other.claim("1"), Busy)


@pytest.mark.parametrize("loss", LOSSES)
async def test_giving_up_is_repeated(database: Database, loss: str) -> None:
    """Released is released, and let go is let go: never one for the other."""
    journal, direct, proxy = database
    async with journal.open() as session, direct.open() as other:
        await session.claim("released")
        await session.claim("let go")
        await lose(loss, proxy)
        await asyncio.gather(session.release("released"), session.abandon("let go"))
        released, abandon = await other.claim("released"), await other.claim("let go")
        assert isinstance(released, Claim)
        assert isinstance(abandon, Claim)
        assert (released.maybe_sent, abandon.maybe_sent) == (False, True)


async def test_a_claim_that_nobody_waits_for_any_more_is_released(database: Database) -> None:
    """Also if its first response was lost."""
    journal, direct, proxy = database
    async with journal.open() as session, direct.open() as other:
        await session.claim("before")
        proxy.lost_after = 1
        claiming = asyncio.create_task(session.claim("1"))
        while proxy.commits < 2:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.001)
        claiming.cancel()
        await asyncio.wait([claiming])
        await session.claim("2")
        await session.claim("3")
        claim = await other.claim("1")
        assert isinstance(claim, Claim)
        assert not claim.maybe_sent


async def test_what_could_not_be_given_up_is_not_claimed_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been sent, and this session cannot note what became of it."""
    journal, _, proxy = database
    monkeypatch.setattr(group_commit, "RECOVERY", 0.0)
    async with journal.open() as session:
        await session.claim("1")
        proxy.lost_before = 1
        with pytest.raises(JournalError):
            await session.finish(DONE)
        proxy.lost_after = 1
        with pytest.raises(JournalError):
            await session.claim("2")
        claimed = await session.claim("1")
        assert isinstance(claimed, Busy)
        assert claimed.is_own


async def test_a_database_that_stays_away_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some time."""
    journal, _, proxy = database
    monkeypatch.setattr(group_commit, "RECOVERY", 0.2)
    async with journal.open() as session:
        await session.claim("1")
        proxy.lost_before = 10_000
        async with asyncio.timeout(10):
            with pytest.raises(JournalError, match="a transaction failed"):
                await session.finish(DONE)
        assert proxy.lost_before < 9_999
        proxy.lost_before = 0


async def test_a_batch_goes_on_when_connections_are_lost_again_and_again(
    database: Database,
) -> None:
    """Each request is sent once, and the next run has the same outcomes."""
    journal, direct, proxy = database
    chance, sent = Random(1), Counter[str]()  # noqa: S311 - nothing secret

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(chance.random() / 50)
        sent[request.content.decode()] += 1
        if chance.random() < 0.1:
            await proxy.terminate_all()
        if chance.random() < 0.1:
            proxy.lost_after += 1
        if chance.random() < 0.1:
            proxy.lost_before += 1
        return httpx.Response(200, json=envelope({}))

    async def run(journal: SQLJournal) -> list[tuple[str, bool]]:
        batch = run_batch(
            client.return_refund.cancel_order,
            [{"order_id": str(n), "cancel_reason": "sold out"} for n in range(150)],
            key=lambda request: str(request["order_id"]),
            journal=journal,
        )
        return [(outcome.status, outcome.resumed) async for outcome in batch]

    async with new_client(httpx.MockTransport(answer)) as client:
        assert {*await run(journal)} == {("succeeded", False)}
        assert set(sent.values()) == {1}
        assert len(sent) == 150
        assert {*await run(direct)} == {("succeeded", True)}


async def test_a_file_that_is_locked_for_a_while_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims, final states and what is given up are all noted in the end, once."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", 0.01)
    file = tmp_path / "journal.db"
    async with SQLJournal(file) as journal, journal.open() as session:
        for key in ("1", "2", "3"):
            await session.claim(key)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            asked = asyncio.gather(
                session.finish(DONE), session.release("2"), session.abandon("3"), session.claim("4")
            )
            await asyncio.sleep(0.1)
            assert not asked.done()
            other.execute("ROLLBACK")
        done, *_, claim = await asked
        assert done
        assert isinstance(claim, Claim)
        assert not claim.maybe_sent
        async with journal.open() as later:
            assert await later.claim("1") == DONE
            released, abandon = await later.claim("2"), await later.claim("3")
            assert isinstance(released, Claim)
            assert isinstance(abandon, Claim)
            assert (released.maybe_sent, abandon.maybe_sent) == (False, True)


async def test_a_statement_that_fails_for_good_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    async with SQLJournal(file) as journal, journal.open() as session:
        await session.claim("1")
        with closing(sqlite3.connect(file)) as other:
            other.execute("DROP TABLE tiktok_shop_journal")
        async with asyncio.timeout(5):
            with pytest.raises(JournalError):
                await session.finish(DONE)
