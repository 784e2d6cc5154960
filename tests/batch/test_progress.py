"""Progress: told now and then, and shown as a bar."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from rich.console import Console

from tiktok_shop_async._internal.clock import SystemClock
from tiktok_shop_async.batch import Outcome, Progress, RichProgress
from tiktok_shop_async.batch.progress import Tally


def outcome(status: str = "succeeded", *, resumed: bool = False) -> Outcome[Any]:
    return Outcome(index=0, request={}, status=status, resumed=resumed)


async def test_it_is_told_ten_times_a_second_at_most_and_in_the_end() -> None:
    now = 100.0
    told: list[Progress] = []
    tally = Tally(1000, told.append, lambda: 3, SystemClock(monotonic=lambda: now))
    tally.begin()
    for _ in range(1000):
        await tally.add(outcome())
        now += 0.001
    await tally.add(outcome("failed", resumed=True))
    await tally.end()
    assert 10 <= len(told) <= 12
    last = told[-1]
    assert (last.total, last.done, last.resumed, last.in_flight) == (1000, 1001, 1, 3)
    assert last.counts == {"succeeded": 1000, "failed": 1}
    assert last.elapsed == pytest.approx(1.0)
    assert last.per_second == pytest.approx(1000)


async def test_a_bar_shows_the_counts() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120)
    with RichProgress("Cancelling", console=console) as bar:
        tally = Tally(4, bar, lambda: 0, SystemClock())
        for status in ("succeeded", "succeeded", "unknown"):
            await tally.add(outcome(status))
        await tally.end()
    assert "Cancelling" in shown.getvalue()
    assert "3/4" in shown.getvalue()
    assert "2 succeeded, 1 unknown" in shown.getvalue()


def test_without_rich_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(ImportError, match=r"tiktok-shop-async\[rich\]"):
        RichProgress()
