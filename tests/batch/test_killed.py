"""Batches whose processes are killed or hang: every order ends once, in its true final state."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
from helpers.auth.databases import postgresql_database
from helpers.batch.cancelling_process import Job
from helpers.batch.shops import CANCEL, untruths

from tiktok_shop_async.batch import Busy, CancelOutcome, Claim, SQLJournal
from tiktok_shop_async.sandbox import Sandbox, run_sandbox

PROCESS = Path(__file__).parents[1] / "helpers" / "batch" / "cancelling_process.py"
PATIENCE = 300
LEASE = 1.0


@attrs.frozen
class Work:
    """A shop with orders to cancel, and a journal for whoever cancels them."""

    sandbox: Sandbox
    job: Job

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Process]:
        running = await asyncio.create_subprocess_exec(
            sys.executable, PROCESS, json.dumps(attrs.asdict(self.job)), stdout=PIPE
        )
        try:
            async with asyncio.timeout(PATIENCE):
                yield running
        finally:
            if running.returncode is None:
                running.kill()
            await running.communicate()


@asynccontextmanager
async def work(
    folder: Path, orders: int, *, journal: str | None = None, settle: float = 0.3
) -> AsyncIterator[Work]:
    """Give a shop with faults, and all its orders."""
    async with run_sandbox(orders=orders) as sandbox:
        add = sandbox.faults.add
        add("lost_answer", operation=CANCEL, probability=0.05, seed=1)
        add("reset_before", operation=CANCEL, probability=0.03, seed=2)
        add("throttled", operation=CANCEL, probability=0.10, seed=3)
        add("internal_error", operation=CANCEL, probability=0.005, seed=4)
        add("internal_error", operation=CANCEL, probability=0.005, seed=5, after_processing=True)
        ids = folder / "orders.txt"
        ids.write_text("\n".join(sandbox.shop.orders))
        job = Job(
            client={
                "app_key": sandbox.app_key,
                "app_secret": sandbox.app_secret,
                "access_token": sandbox.access_token,
                "shop_cipher": sandbox.shop_cipher,
                "base_url": sandbox.base_url,
            },
            journal=journal or f"sqlite:///{folder / 'journal.db'}",
            lease=LEASE,
            orders=str(ids),
            options={"reason": "out_of_stock", "settle": settle, "concurrency": 50},
        )
        yield Work(sandbox, job)


async def said(
    process: Process, most: int | None = None, *, may_fail: bool = False
) -> list[dict[str, Any]]:
    """Return what a process says, to its end or up to so many outcomes."""
    assert process.stdout is not None
    found: list[dict[str, Any]] = []
    while most is None or len(found) < most:
        line = await process.stdout.readline()
        assert line or may_fail, "the process has failed"
        if not line.strip():
            break
        found.append(json.loads(line))
    return found


def as_outcomes(words: Iterable[dict[str, Any]]) -> list[CancelOutcome]:
    return [CancelOutcome(index=0, request=None, **each) for each in words]


def check(work: Work, words: Sequence[dict[str, Any]], *earlier: Sequence[dict[str, Any]]) -> None:
    """Every order has one outcome, the true one, and what was said before is still so."""
    assert sorted(each["order_id"] for each in words) == sorted(work.sandbox.shop.orders)
    assert untruths(work.sandbox, as_outcomes(words)) == []
    assert {each["status"] for each in words} == {
        "confirmed",
        "pending",
        "already_cancelled",
        "refused",
    }
    final = {each["order_id"]: (each["status"], each["cancel_id"]) for each in words}
    for each in (each for some in earlier for each in some):
        assert final[each["order_id"]] == (each["status"], each["cancel_id"])


@pytest.mark.parametrize("orders", [400, 401, pytest.param(20_000, marks=pytest.mark.scale)])
async def test_a_process_that_is_killed_three_times_goes_on(tmp_path: Path, orders: int) -> None:
    """At any point: nothing is cancelled twice, nothing is left unknown."""
    random = Random(orders)  # noqa: S311 - nothing secret
    async with work(tmp_path, orders) as one:
        earlier: list[list[dict[str, Any]]] = []
        for _ in range(3):
            async with one.process() as process:
                earlier.append(await said(process, random.randint(1, orders * 2 // 3)))
                await asyncio.sleep(random.random() * 0.05)
                process.kill()
        async with one.process() as process:
            words = await said(process)
        check(one, words, *earlier)
        assert any(each["resumed"] for each in words)


async def test_two_processes_with_one_journal_share_the_work(tmp_path: Path) -> None:
    """One of them hangs for longer than its lease, and then goes on; another one is killed."""
    async with (
        postgresql_database() as url,
        SQLJournal(url) as journal,
    ):
        await journal.create_schema()
        async with (
            work(tmp_path, 600, journal=url) as one,
            one.process() as hanging,
            one.process() as killed,
            one.process() as third,
        ):
            await asyncio.gather(*(said(each, 20) for each in (hanging, killed, third)))
            os.kill(hanging.pid, signal.SIGSTOP)
            killed.kill()
            words = await said(third)
            os.kill(hanging.pid, signal.SIGCONT)
            # It fails if it was stopped in the middle of a transaction, which the database ends.
            words_of_the_hanging = await said(hanging, may_fail=True)
            async with one.process() as last:
                all_words = await said(last)
            assert all(each["resumed"] for each in all_words)
            check(one, all_words, words, words_of_the_hanging)
            # Most orders were cancelled by one call, whoever made it.
            counts = Counter(len(each.cancellations) for each in one.sandbox.shop.orders.values())
            assert counts.keys() <= {0, 1}


async def test_who_stands_still_in_a_transaction_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL ends it, and whoever waits for the same rows goes on."""
    async with postgresql_database() as url, SQLJournal(url, lease=4 * LEASE) as journal:
        await journal.create_schema()
        stands, goes_on = asyncio.Event(), asyncio.Event()
        async with journal.open() as other, journal.open() as stopped:
            carry_out = stopped._group_commit._statements

            async def stand_still(*arguments: Any) -> Any:
                answers = await carry_out(*arguments)
                stands.set()
                await goes_on.wait()
                return answers

            monkeypatch.setattr(stopped._group_commit, "_statements", stand_still)
            claiming = asyncio.create_task(stopped.claim("1"))
            await stands.wait()
            assert isinstance(await other.claim("1"), Claim)
            goes_on.set()
            # It asks again on a new connection, and the request is another's by now.
            claimed = await claiming
            assert isinstance(claimed, Busy)
            assert not claimed.is_own
