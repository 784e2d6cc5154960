"""Property: whatever responses are lost or damaged, and whenever a process is killed, batches tell
the truth, by the service's own record, and nothing is sent twice that may have been processed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import attrs
import pytest
from helpers.auth.databases import postgresql_database
from helpers.batch.damage import Arrival, Record, Service, code_in
from helpers.batch.damaged_process import Job
from sqlalchemy import URL

from tiktok_shop_async.batch import SQLJournal

PROCESS = Path(__file__).parents[1] / "helpers" / "batch" / "damaged_process.py"
TESTS = Path(__file__).parents[1]
BATCHES = ("keyed", "looked up", "blind")
Said = dict[tuple[str, str], str]


@asynccontextmanager
async def job_of(
    database: str, transport: str, folder: Path, count: int, chance: Random
) -> AsyncIterator[tuple[Job, Service]]:
    record = folder / "record.jsonl"
    service = Service(Record(record), chance)
    async with AsyncExitStack() as opened:
        if database == "postgresql":
            url = await opened.enter_async_context(postgresql_database())
            async with SQLJournal(url) as journal:
                await journal.create_schema()
        else:
            place = URL.create("sqlite", database=str(folder / "journal.db"))
            url = place.render_as_string()
        server = (
            await opened.enter_async_context(service.serve()) if transport == "socket" else None
        )
        job = Job(
            journal=url,
            record=str(record),
            count=count,
            url=server,
            seed=chance.randrange(2**32),
            has_faults=True,
            lease=1.0,
        )
        yield job, service


async def run(job: Job, *, kill_after: int | None = None, chance: Random | None = None) -> Said:
    """Run the job in a process, to its end or until so many outcomes are said; return them."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        PROCESS,
        json.dumps(attrs.asdict(job)),
        stdout=PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
    )
    said: Said = {}
    try:
        assert running.stdout is not None
        async with asyncio.timeout(90):
            async for line in running.stdout:
                word = json.loads(line)
                said[word["batch"], word["id"]] = word["status"]
                if kill_after is not None and len(said) >= kill_after:
                    assert chance is not None
                    await asyncio.sleep(chance.random() / 50)
                    running.kill()
                    break
            rest = (await running.communicate())[0].splitlines()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    for line in rest:
        if line.endswith(b"}"):  # the last one may be cut
            word = json.loads(line)
            said[word["batch"], word["id"]] = word["status"]
    assert kill_after is not None or running.returncode == 0
    return said


def wrongs(
    name: str, arrivals: Sequence[Arrival], status: str, earlier: Sequence[str]
) -> list[str]:
    """Return what is wrong with an outcome, by the service's own record."""
    found = []
    effects = [each.key for each in arrivals if each.processed]
    times = len(set(effects)) if name == "keyed" else len(effects)
    if times > 1:
        found.append("it took effect more than once")
    maybe_processed = [each for each in arrivals if each.fate not in {"throttled", "refused"}]
    if name == "keyed" and len({each.key for each in maybe_processed}) > 1:
        found.append("it was sent with several idempotency keys")
    if name == "blind" and any(each.fate not in {"throttled", "refused"} for each in arrivals[:-1]):
        found.append("it was sent again when it may have been processed")
    # A refusal of a retry does not say what became of the first request.
    refused = [each.fate for each in arrivals[-1:]] == ["refused"]
    if status not in {"succeeded", "failed"} and not (name == "blind" or refused):
        found.append("it could have been cleared up")
    if (status, times) in {("succeeded", 0), ("failed", 1)}:
        found.append("that is not so")
    if {"succeeded"} & {*earlier} and status != "succeeded":
        found.append("an earlier run said that it succeeded")
    return found


async def check(
    database: str, transport: str, folder: Path, *, count: int, kills: int, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - nothing secret
    async with job_of(database, transport, folder, count, chance) as (job, service):
        runs: list[Said] = []
        for number in range(kills):
            at = chance.randint(1, count * len(BATCHES) * (number + 1) // (kills + 1))
            killed = attrs.evolve(job, seed=job.seed + number)
            runs.append(await run(killed, kill_after=at, chance=chance))
        runs.append(await run(attrs.evolve(job, seed=job.seed + kills)))
        service.has_faults = False
        final = await run(attrs.evolve(job, has_faults=False))
        arrivals = service.record.arrivals()
        keys = {(name, str(n)) for name in BATCHES for n in range(count)}
        assert {*final} == keys
        wrong = {
            key: (final[key], found, arrivals[key])
            for key in sorted(keys)
            if (
                found := wrongs(
                    key[0], arrivals[key], final[key], [each[key] for each in runs if key in each]
                )
            )
        }
        assert wrong == {}, f"with seed {seed}"
        async with SQLJournal(job.journal) as journal:
            for name in BATCHES:
                kept = {each.key: each.status async for each in journal.for_batch(name).records()}
                assert kept == {id_: final[batch, id_] for batch, id_ in keys if batch == name}
        again = await run(job)
        assert again == final
        assert sum(map(len, service.record.arrivals().values())) == sum(
            map(len, arrivals.values())
        ), "what is final was sent again"
        counts = Counter(final.values())
        assert counts["succeeded"] > count
        assert counts["failed"] >= count // 13


combinations = pytest.mark.parametrize(
    ("database", "transport"),
    [
        ("sqlite", "socket"),
        ("sqlite", "in process"),
        ("postgresql", "socket"),
        ("postgresql", "in process"),
    ],
)


@combinations
async def test_no_outcome_is_wrong_lost_or_sent_twice(
    database: str, transport: str, tmp_path: Path
) -> None:
    await check(database, transport, tmp_path, count=60, kills=1, seed=1)


@pytest.mark.scale
@combinations
async def test_no_outcome_of_thousands_is_wrong_lost_or_sent_twice(
    database: str, transport: str, tmp_path: Path
) -> None:
    seed = Random().randrange(2**32)  # noqa: S311 - nothing secret
    await check(database, transport, tmp_path, count=400, kills=4, seed=seed)


def test_damage_is_never_a_response_that_means_something_else(tmp_path: Path) -> None:
    """Or the test would ask more than anybody can tell."""
    service = Service(Record(tmp_path / "record"), Random(1))  # noqa: S311 - nothing secret
    body = b'HTTP/1.1 200 OK\r\n\r\n{"code": 0, "data": {}}'
    assert {code_in(service.damaged(body)) for _ in range(2000)} == {None, 0}
