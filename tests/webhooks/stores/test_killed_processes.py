"""Processes that share a store and are killed: the events of an object never run side by side."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import attrs
import pytest
from helpers.webhooks.stores.handling_process import Work
from helpers.webhooks.stores.places import place_of

from tiktok_shop_async.webhooks import NewEvent, WebhookStore

PROCESS = Path(__file__).parents[2] / "helpers" / "webhooks" / "stores" / "handling_process.py"
PATIENCE = 120
LEASE = 4.0
"""Long enough for a busy machine: only events of a process that was killed come again."""
OBJECTS = EVENTS = 8


async def add_all(store: WebhookStore, objects: int, each: int) -> None:
    async def of(name: str) -> None:
        for number in range(each):
            new = NewEvent(id=f"{name}/{number}", body=b"{}", app_key="key", object=name)
            assert await store.add(new)

    await asyncio.gather(*(of(str(number)) for number in range(objects)))


async def all_finished(store: WebhookStore) -> None:
    """Wait until no event waits and none is a dead letter, which each process replays."""
    while True:
        await store.join()
        counts = await store.counts()
        if counts.waiting == counts.dead == 0:
            return


def check(lines: list[list[str]], killed: set[str]) -> set[str]:
    """Check the log; return the events that were handled.

    An event that has begun ends before another one of its object begins, unless its process was
    killed; and one that was finished never comes again.
    """
    running: dict[str, tuple[str, str]] = {}
    finished: set[str] = set()
    handled: set[str] = set()
    for what, process, id_ in lines:
        name = id_.partition("/")[0]
        if what == "begin":
            assert id_ not in finished
            if name in running:
                before, of = running[name]
                assert of in killed
                assert before == id_  # which comes again when its lease is over
            running[name] = id_, process
        elif what == "end":
            assert running.pop(name) == (id_, process)
            handled.add(id_)
        else:
            finished.add(id_)
    return handled


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "redis"])
async def test_events_of_an_object_never_run_at_once_whatever_is_killed(
    kind: str, tmp_path: Path
) -> None:
    """Nor is one lost, while others fail, die, are replayed and have their claims cancelled."""
    random = Random(11)  # noqa: S311 - nothing secret
    log = tmp_path / "handled.txt"
    log.touch()
    killed: set[str] = set()
    async with (
        asyncio.timeout(PATIENCE),
        place_of(kind, tmp_path) as place,
        place.opened() as store,
        AsyncExitStack() as opened,
    ):
        work = Work(store=place.url, prefix=place.prefix, log=str(log), lease=LEASE)

        async def started() -> Process:
            process = await asyncio.create_subprocess_exec(
                sys.executable, PROCESS, json.dumps(attrs.asdict(work))
            )
            opened.push_async_callback(process.wait)
            opened.callback(end, process)
            return process

        def end(process: Process) -> None:
            if process.returncode is None:
                process.kill()

        await store.counts()
        processes = [await started() for _ in range(3)]
        adding = asyncio.create_task(add_all(store, objects=OBJECTS, each=EVENTS))
        for lines in (40, 80):
            while log.read_text().count("\n") < lines:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            process = processes.pop(random.randrange(3))
            killed.add(str(process.pid))
            process.kill()
            processes.append(await started())
        await adding
        await all_finished(store)
    handled = check([line.split() for line in log.read_text().splitlines()], killed)
    numbers = defaultdict(set)
    for id_ in handled:
        name, _, number = id_.partition("/")
        numbers[name].add(int(number))
    assert numbers == {str(name): set(range(EVENTS)) for name in range(OBJECTS)}
