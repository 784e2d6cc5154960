"""What a throttle does to a rate, and what use does: for any history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tiktok_shop_async.limits.learning import (
    LONGEST_HOLD,
    LOWEST,
    RateState,
    awakened,
    reserve,
    returned,
    starting,
    throttled,
)

waits = st.floats(0, 100)
takes = st.tuples(st.just("take"), waits, st.integers(1, 20), st.booleans(), st.floats(0, 0.2))
throttles = st.tuples(
    st.just("throttle"), waits, st.integers(0, 2), st.none() | st.floats(0.1, 1000)
)
histories = st.lists(takes | throttles, max_size=40)
rates = st.floats(0.1, 1000)


def played(pace: RateState, history: Sequence[Any]) -> RateState:
    now = 1000.0
    for kind, wait, *facts in history:
        now += wait
        if kind == "take":
            wanted, backlog, ahead = facts
            pace, _ = reserve(pace, now, wanted, ahead=ahead, backlog=backlog)
        else:
            rounds_ago, retry_after = facts
            pace = throttled(pace, pace.round - rounds_ago, now, retry_after)
    return pace


@given(rates, histories, st.floats(0, 1), st.integers(1, 100), st.booleans())
def test_turns_are_spaced_by_the_rate_and_never_in_a_hold(
    rate: float, history: Sequence[Any], ahead: float, wanted: int, backlog: bool
) -> None:
    pace = played(starting(rate), history)
    now = max(1000.0, pace.held_until - 1)
    after, turns = reserve(pace, now, wanted, ahead=ahead, backlog=backlog)
    assert turns.count <= wanted
    if turns.count:
        assert turns.first >= max(pace.next_at, pace.held_until)
        assert turns.first + (turns.count - 1) * turns.interval <= now + ahead + 1e-6
        assert abs(turns.interval * pace.rate - 1) < 1e-9
        assert after.next_at >= turns.first + turns.count * turns.interval - 1e-6
    else:
        assert after == pace


@given(rates, histories)
def test_a_throttle_halves_once_a_round(rate: float, history: Sequence[Any]) -> None:
    pace = played(starting(rate), history)
    once = throttled(pace, pace.round, 9000.0, None)
    assert once.rate == max(LOWEST, pace.rate / 2)
    assert throttled(once, pace.round, 9000.0, None) == once
    assert throttled(once, once.round, 9000.0, None).rate == max(LOWEST, once.rate / 2)


@given(rates, histories, st.floats(0.1, 1e6))
def test_a_late_throttle_still_holds(rate: float, history: Sequence[Any], seconds: float) -> None:
    pace = played(starting(rate), history)
    held = throttled(pace, pace.round - 1, 9000.0, seconds)
    assert held.rate == pace.rate
    assert held.held_until == max(pace.held_until, 9000.0 + min(seconds, LONGEST_HOLD))


@given(rates, histories, histories)
def test_a_fixed_rate_stays(rate: float, first: Sequence[Any], second: Sequence[Any]) -> None:
    assert played(starting(rate, fixed=True), [*first, *second]).rate == rate


@given(rates, histories)
def test_what_is_not_used_up_does_not_rise(rate: float, history: Sequence[Any]) -> None:
    pace = played(starting(rate), history)
    before, now = pace.rate, max(9000.0, pace.next_at, pace.held_until)
    for _ in range(100):
        now += 1.01 / pace.rate
        pace, _ = reserve(pace, now, 1, ahead=0.0, backlog=False)
    assert pace.rate == before


@given(rates, histories)
def test_what_is_used_up_rises_by_little_and_comes_back_to_the_throttled_rate(
    rate: float, history: Sequence[Any]
) -> None:
    pace = played(starting(rate), history)
    ceiling = pace.rate
    pace = throttled(pace, pace.round, 9000.0, None)
    for _ in range(200):
        before = pace.rate
        now = max(pace.next_at, pace.held_until)
        pace, turns = reserve(pace, now, 1, ahead=0.0, backlog=True)
        assert turns.count == 1
        assert before * (1 - 1e-9) <= pace.rate <= before * 1.5
    assert pace.rate >= 0.95 * ceiling or pace.used < 6


def test_a_turn_that_is_given_back_is_there_again() -> None:
    pace, _ = reserve(starting(10), 1000.0, 1, ahead=0.0, backlog=False)
    pace, turns = reserve(returned(pace), 1000.0, 1, ahead=0.0, backlog=False)
    assert turns.count == 1


def test_after_a_pause_a_burst_goes_at_once_and_no_more() -> None:
    pace, turns = reserve(starting(10), 1000.0, 9, ahead=0.0, backlog=False, burst=3)
    assert turns.count == 3
    assert reserve(pace, 1000.0, 1, ahead=0.0, backlog=False, burst=3)[1].count == 0


def test_the_first_throttle_halves_what_went_or_begins_where_told() -> None:
    assert awakened(40.0, 2.0, 1000.0, None).rate == 20
    assert awakened(1.0, 2.0, 1000.0, 5.0).rate == 2
    assert awakened(1.0, 2.0, 1000.0, 5.0).held_until == 1005
