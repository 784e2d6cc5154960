"""Eight processes of an app, a real store, and a sandbox on a port: tokens that cannot be raced.

What befalls a refresh here is what only processes meet: they are killed, stopped, or told to end.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from helpers.auth.processes import (
    HELD,
    WEEK,
    begin_to_refresh,
    crew_of,
    place_of,
    signal_to,
    started,
)

STORES = ["sqlite", "postgresql", "redis"]
PROCESSES, TASKS = 8, 100
OTHERS, FEW = PROCESSES - 1, 5


@pytest.mark.parametrize("known", [True, False], ids=["by_the_clock", "by_105002"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "redis", "encrypted"])
async def test_eight_processes_of_a_hundred_tasks_refresh_once(
    kind: str, known: bool, tmp_path: Path
) -> None:
    """Every call succeeds, no order is cancelled twice, and the store has the newest token."""
    async with (
        place_of(kind, tmp_path) as place,
        started(place, orders=1600, ahead=WEEK if known else 0) as app,
    ):
        if not known:
            app.expire_early()
        order_ids = app.order_ids(PROCESSES * TASKS)
        async with crew_of(app, PROCESSES, TASKS) as crew:
            results = await crew.work_of(*crew.pids)
        assert [each["succeeded"] for each in results] == [TASKS] * PROCESSES, str(results)
        assert app.asked == 1
        assert {each["access_token"] for each in results} == {app.newest_access_token}
        assert app.times_cancelled(order_ids) == {1}
        await app.assert_store_has_the_newest()


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize(
    ("fault", "grace", "refreshes"),
    [("reset_before", 0, 1), ("slow_headers", 600, 2)],
    ids=["before_it_was_processed", "after_that"],
)
async def test_the_lock_of_a_killed_holder_frees_itself_and_one_other_refreshes(
    kind: str, fault: str, grace: int, refreshes: int, tmp_path: Path
) -> None:
    async with (
        place_of(kind, tmp_path, lock_ttl=2.0) as place,
        started(place, refresh_grace_seconds=grace) as app,
        crew_of(app, PROCESSES, FEW) as crew,
    ):
        await begin_to_refresh(crew.pids[0], app, fault)
        signal_to(signal.SIGKILL, crew.pids[0])
        results = await crew.work_of(*crew.pids[1:])
        assert [each["succeeded"] for each in results] == [FEW] * OTHERS, str(results)
        assert app.asked == refreshes
        assert {each["access_token"] for each in results} == {app.newest_access_token}
        await app.assert_store_has_the_newest()


@pytest.mark.parametrize("kind", STORES)
async def test_where_the_service_knows_no_grace_every_process_is_told_what_the_killed_one_lost(
    kind: str, tmp_path: Path
) -> None:
    async with (
        place_of(kind, tmp_path, lock_ttl=2.0) as place,
        started(place) as app,
        crew_of(app, PROCESSES, FEW) as crew,
    ):
        await begin_to_refresh(crew.pids[0], app)
        signal_to(signal.SIGKILL, crew.pids[0])
        for result in await crew.work_of(*crew.pids[1:]):
            assert result["failed"] == {"ReauthorizationRequiredError": FEW}
            assert "A refresh was started at" in result["reason"]
            assert "its response was lost" in result["reason"]
        assert app.asked == 2
        assert (await app.stored()).ended


@pytest.mark.parametrize("grace", [600, 0], ids=["grace", "no_grace"])
async def test_a_holder_that_stood_still_for_longer_than_its_lock_lives_overwrites_nothing(
    grace: int, tmp_path: Path
) -> None:
    """It takes over what came after it. But what others took for lost, and it has got, it saves."""
    async with (
        place_of("redis", tmp_path, lock_ttl=0.5) as place,
        started(place, refresh_grace_seconds=grace) as app,
        crew_of(app, PROCESSES, FEW) as crew,
    ):
        holder, *others = crew.pids
        await begin_to_refresh(holder, app)
        signal_to(signal.SIGSTOP, holder)
        results = await crew.work_of(*others)
        assert [each["succeeded"] for each in results] == [FEW if grace else 0] * OTHERS, str(
            results
        )
        assert bool((await app.stored()).ended) is not bool(grace)
        if grace:
            await app.refresh()
        newest = app.newest_access_token
        app.sandbox.clock.advance(HELD)  # the answer is there when it goes on
        signal_to(signal.SIGCONT, holder)
        result = await crew.said()
        assert result["succeeded"] == FEW, str(result)
        assert result["access_token"] == newest
        await app.assert_store_has_the_newest()


@pytest.mark.parametrize("kind", STORES)
async def test_a_process_that_is_told_to_end_waits_for_its_refresh(
    kind: str, tmp_path: Path
) -> None:
    async with (
        place_of(kind, tmp_path) as place,
        started(place) as app,
        crew_of(app, 1, FEW) as crew,
    ):
        await begin_to_refresh(*crew.pids, app)
        signal_to(signal.SIGTERM, *crew.pids)
        assert "stopping" in await crew.said()
        app.sandbox.clock.advance(HELD)
        await crew.ended()
        await app.assert_lock_is_free()
        assert app.asked == 1
        await app.assert_store_has_the_newest()


@pytest.mark.parametrize("kind", STORES)
async def test_a_refresh_that_is_cancelled_leaves_no_lock_and_no_half_token(
    kind: str, tmp_path: Path
) -> None:
    async with (
        place_of(kind, tmp_path) as place,
        started(place, refresh_grace_seconds=600) as app,
        crew_of(app, 1, FEW) as crew,
    ):
        before = await app.stored()
        await begin_to_refresh(*crew.pids, app)
        signal_to(signal.SIGINT, *crew.pids)
        assert "stopping" in await crew.said()
        await crew.ended()
        await app.assert_lock_is_free()
        record = await app.stored()
        assert record.token == before.token
        assert record.refresh_started_at is not None
        await app.refresh()
        await app.assert_store_has_the_newest()
