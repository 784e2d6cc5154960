"""Claims, leases and final states, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from helpers.auth.databases import postgresql_database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tiktok_shop_async import InvalidArgumentError, JournalError, LeaseLostError
from tiktok_shop_async._storage.sql.engine import new_engine
from tiktok_shop_async._storage.sql.group_commit import GroupCommit
from tiktok_shop_async.batch import Busy, Claim, Record, SQLJournal, run_batch
from tiktok_shop_async.batch.journal import sql_session
from tiktok_shop_async.batch.journal.sql_session import SQLSession

Sessions = Callable[[], SQLSession]


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'journal.db'}"
        return
    async with postgresql_database() as url:
        async with SQLJournal(url) as journal:
            await journal.create_schema()
        yield url


@pytest.fixture
async def journal(url: str) -> AsyncIterator[SQLJournal]:
    async with SQLJournal(url) as journal:
        yield journal


async def expire(url: str) -> None:
    """Let all leases end."""
    engine = new_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE tiktok_shop_journal SET lease_until = 0"))
    await engine.dispose()


async def test_one_alone_has_a_claim(journal: SQLJournal) -> None:
    """Of many who ask at once, in several sessions, for many keys."""
    async with AsyncExitStack() as opened:
        sessions = [await opened.enter_async_context(journal.open()) for _ in range(4)]
        claimed = await asyncio.gather(
            *(session.claim(str(key)) for key in range(200) for session in sessions)
        )
    owners = [each.key for each in claimed if isinstance(each, Claim)]
    assert sorted(owners, key=int) == [str(key) for key in range(200)]
    others = [each for each in claimed if isinstance(each, Busy)]
    assert len(others) == 600
    assert all(0 <= each.seconds_left <= 31 and not each.is_own for each in others)
    assert not any(each.maybe_sent for each in claimed if isinstance(each, Claim))


async def test_a_final_state_is_what_all_get(journal: SQLJournal) -> None:
    record = Record(
        key="1",
        status="refused",
        request_id="req",
        code=36009002,
        message='it\'s "no" ✗',
        hint="wait",
        attempts=3,
        details={"cancel_id": "7"},
    )
    async with journal.open() as one, journal.open() as other:
        await one.claim("1")
        assert await one.finish(record)
        assert not await one.finish(record)
        own, of_another = await one.claim("1"), await other.claim("1")
    assert isinstance(own, Record)
    assert own.is_own
    assert of_another == record
    assert [each async for each in journal.records()] == [record]


async def test_what_was_surely_not_sent_is_free(journal: SQLJournal) -> None:
    async with journal.open() as one, journal.open() as other:
        await one.claim("1", idempotency_key="first")
        assert isinstance(await one.claim("1"), Busy)
        await one.release("1")
        claim = await other.claim("1", idempotency_key="second")
        assert isinstance(claim, Claim)
        assert (claim.maybe_sent, claim.idempotency_key) == (False, "second")
        await one.release("1")  # no longer ours: nothing happens
        assert isinstance(await one.claim("1"), Busy)


@pytest.mark.parametrize("by", ["letting go", "its lease"])
async def test_what_may_have_been_sent_is_told(journal: SQLJournal, url: str, by: str) -> None:
    """Its first idempotency key and time stay; the old owner can do nothing any more."""
    async with journal.open() as one, journal.open() as other:
        first = await one.claim("1", idempotency_key="first")
        if by == "letting go":
            await one.abandon("1")
        else:
            await expire(url)
        second = await other.claim("1", idempotency_key="second")
        assert isinstance(first, Claim)
        assert isinstance(second, Claim)
        assert (second.maybe_sent, second.idempotency_key) == (True, "first")
        assert second.first_claimed_at == first.first_claimed_at
        await one.release("1")
        assert not await one.finish(Record(key="1", status="succeeded"))
        assert await other.finish(Record(key="1", status="failed"))


@pytest.mark.parametrize("give_up", [SQLSession.abandon, SQLSession.release])
async def test_what_is_given_up_during_a_beat_can_be_claimed_anew(
    journal: SQLJournal, monkeypatch: pytest.MonkeyPatch, give_up: Callable[..., Any]
) -> None:
    """A late renewal does not hold it, and the beat does not end the new claim."""
    beats: asyncio.Queue[None] = asyncio.Queue()

    class Beating:
        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

        async def sleep(self, seconds: float) -> None:
            await (beats.get() if seconds else asyncio.sleep(0))

    monkeypatch.setattr(sql_session, "asyncio", Beating())
    async with journal.open() as session:
        await session.claim("1")
        beats.put_nowait(None)
        await asyncio.sleep(0)  # the beat has asked for the renewal, and nothing is done yet
        await give_up(session, "1")
        assert isinstance(await session.claim("1"), Claim)
        session.check("1")
        async with journal.open() as other:
            assert isinstance(await other.claim("1"), Busy)
        session.check("1")


async def test_a_claim_lives_as_long_as_its_session(url: str) -> None:
    """It is renewed, so that a lease can be short."""
    async with SQLJournal(url, lease=1.0) as journal, journal.open() as one:
        await one.claim("1")
        async with journal.open() as other:
            await asyncio.sleep(1.5)
            assert isinstance(await other.claim("1"), Busy)
            one.check("1")


async def test_who_was_away_for_too_long_sends_nothing(
    journal: SQLJournal, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(sql_session, "timer", lambda: now)
    async with journal.open() as session:
        await session.claim("1")
        session.check("1")
        now += 28
        with pytest.raises(LeaseLostError, match="1 was not sent"):
            session.check("1")
    with pytest.raises(LeaseLostError):
        session.check("2")


async def test_a_claim_that_nobody_waits_for_is_given_back(journal: SQLJournal) -> None:
    for _ in range(5):
        async with journal.open() as session:
            tasks = [asyncio.create_task(session.claim(str(key))) for key in range(50)]
            for _ in range(3):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        async with journal.open() as another:
            claimed = await asyncio.gather(*(another.claim(str(key)) for key in range(50)))
            assert all(isinstance(each, Claim) and not each.maybe_sent for each in claimed)
            await asyncio.gather(*(another.release(str(key)) for key in range(50)))


async def test_a_claim_that_is_cancelled_as_its_answer_comes_is_given_back(
    journal: SQLJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = GroupCommit._deliver
    claiming: asyncio.Task[Any] | None = None

    def deliver_and_cancel(*arguments: Any) -> None:
        deliver(*arguments)
        if claiming is not None:
            claiming.cancel()

    monkeypatch.setattr(GroupCommit, "_deliver", deliver_and_cancel)
    async with journal.open() as session:
        claiming = asyncio.create_task(session.claim("1"))
        await asyncio.wait([claiming])
        assert claiming.cancelled()
        claiming = None
    async with journal.open() as another:
        claimed = await another.claim("1")
        assert isinstance(claimed, Claim)
        assert not claimed.maybe_sent
        await another.release("1")


async def test_when_all_tasks_are_cancelled_nobody_waits_for_ever(journal: SQLJournal) -> None:
    """As by a signal handler that ends a process at once."""

    sent = []

    async def call(*, order_id: str) -> None:
        sent.append(order_id)
        await asyncio.Event().wait()

    batch = run_batch(
        call,
        [{"order_id": str(number)} for number in range(10)],
        key=lambda request: str(request["order_id"]),
        journal=journal,
        concurrency=5,
    )
    me = asyncio.current_task()
    consumer = asyncio.ensure_future(anext(batch))
    async with asyncio.timeout(5):
        while len(sent) < 5:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.01)
        for task in asyncio.all_tasks() - {me}:
            task.cancel()
        with pytest.raises((asyncio.CancelledError, JournalError)):
            await consumer
    assert len(batch.unfinished) == 5


async def test_batches_in_one_table_share_nothing(url: str) -> None:
    async with (
        SQLJournal(url, batch="monday") as monday,
        SQLJournal(url, batch="tuesday") as tuesday,
        monday.open() as one,
        tuesday.open() as other,
    ):
        assert isinstance(await one.claim("1"), Claim)
        assert isinstance(await other.claim("1"), Claim)
        await one.finish(Record(key="1", status="succeeded"))
        assert [each async for each in tuesday.records()] == []


async def test_records_are_read_page_by_page(
    journal: SQLJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_shop_async.batch.journal.sql.PAGE", 7)
    keys = [f"{number:03}" for number in range(20)]
    async with journal.open() as session:
        await asyncio.gather(*map(session.claim, [*keys, "unfinished"]))
        done = [session.finish(Record(key=key, status="succeeded")) for key in keys]
        assert all(await asyncio.gather(*done))
    assert [each.key async for each in journal.records()] == keys


async def test_a_server_without_a_table_says_what_to_do() -> None:
    async with postgresql_database() as url, SQLJournal(url) as journal:
        with pytest.raises(JournalError, match=r"no table tiktok_shop_journal.*create_schema"):
            async with journal.open():
                pass
        await asyncio.gather(journal.create_schema(), SQLJournal(url).create_schema())
        async with journal.open() as session:
            assert isinstance(await session.claim("1"), Claim)


async def test_a_journal_that_fails_ends_the_batch_and_no_outcome_is_lost(
    journal: SQLJournal, url: str
) -> None:
    engine = new_engine(url)

    async def call(*, order_id: str) -> str:
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE tiktok_shop_journal"))
        return order_id

    batch = run_batch(
        call,
        [{"order_id": "1"}, {"order_id": "2"}],
        concurrency=1,
        key=lambda request: str(request["order_id"]),
        journal=journal,
    )
    assert (await anext(batch)).response == "1"
    with pytest.raises(JournalError, match="a transaction failed") as caught:
        await anext(batch)
    assert caught.value.__cause__ is not None
    await engine.dispose()


async def test_a_request_that_another_process_has_is_waited_for(
    journal: SQLJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile the others go on, though there is one place alone."""
    monkeypatch.setattr("tiktok_shop_async.batch.claims.MAX_PAUSE", 0.01)
    sent = []

    async def call(*, order_id: str) -> None:
        sent.append(order_id)

    async with journal.open() as elsewhere:
        await elsewhere.claim("1")
        batch = run_batch(
            call,
            [{"order_id": str(number)} for number in (1, 2, 3)],
            concurrency=1,
            key=lambda request: str(request["order_id"]),
            journal=journal,
        )
        assert [(await anext(batch)).key for _ in range(2)] == ["2", "3"]
        await elsewhere.finish(Record(key="1", status="succeeded", message="by me"))
        outcome = await anext(batch)
    assert (outcome.key, outcome.resumed, outcome.message) == ("1", True, "by me")
    assert sent == ["2", "3"]
    await batch.aclose()


def test_what_can_be_no_journal_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="in memory"):
        SQLJournal("sqlite://")
    with pytest.raises(InvalidArgumentError, match="must be an identifier"):
        SQLJournal("sqlite:///x.db", table="x; DROP TABLE y")
    with pytest.raises(InvalidArgumentError, match="at least 1 second"):
        SQLJournal("sqlite:///x.db", lease=0.1)


async def test_an_engine_is_borrowed(url: str) -> None:
    driver = {"sqlite": "sqlite+aiosqlite"}.get(url.partition(":")[0], "postgresql+asyncpg")
    engine = create_async_engine(f"{driver}:{url.partition(':')[2]}")
    async with SQLJournal(engine) as journal, journal.open() as session:
        await session.claim("1")
    async with engine.connect() as connection:
        count = text("SELECT count(*) FROM tiktok_shop_journal")
        assert await connection.scalar(count) == 1
    await engine.dispose()


@pytest.mark.parametrize("package", ["sqlalchemy", "filelock"])
def test_a_missing_package_is_named_with_its_extra(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = ("tiktok_shop_async.batch.journal.sql", "tiktok_shop_async._storage.sql.")
    for name in [name for name in sys.modules if name.startswith(late)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"tiktok-shop-async\[sql\]"):
        __import__("tiktok_shop_async.batch.journal.sql")


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "a\udc00\ud800b"])
async def test_a_damaged_response_does_not_end_the_journal(journal: SQLJournal, text: str) -> None:
    """What the service says may have any characters, and a code any number of digits."""
    record = Record(
        key="1",
        status="failed",
        request_id=text,
        code=2**63,
        message=text,
        hint=text,
        details={"cancel_id": text},
    )
    async with journal.open() as session:
        await asyncio.gather(session.claim("1"), session.claim("2"))
        assert all(
            await asyncio.gather(
                session.finish(record), session.finish(Record(key="2", status="succeeded"))
            )
        )
    kept, _ = [each async for each in journal.records()]
    assert kept.status == "failed"
    assert kept.code is None
    assert kept.message.startswith("a")
    assert kept.details == {"cancel_id": text}
