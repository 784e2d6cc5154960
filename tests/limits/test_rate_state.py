"""The effect of throttles and of use on a rate, for any history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tiktok_shop_async.limits.rate_state import (
    MAX_HOLD,
    MIN_RATE,
    Demand,
    RateState,
    first_throttle,
    initial_state,
    release,
    reserve,
    throttle,
)

waits = st.floats(0, 100)
takes = st.tuples(st.just("take"), waits, st.integers(1, 20), st.booleans(), st.floats(0, 0.2))
throttles = st.tuples(
    st.just("throttle"), waits, st.integers(0, 2), st.none() | st.floats(0.1, 1000)
)
histories = st.lists(takes | throttles, max_size=40)
rates = st.floats(0.1, 1000)


def played(state: RateState, history: Sequence[Any]) -> RateState:
    now = 1000.0
    for kind, wait, *facts in history:
        now += wait
        if kind == "take":
            wanted, backlog, ahead = facts
            state, _ = reserve(state, now, Demand(wanted, ahead=ahead, backlog=backlog))
        else:
            rounds_ago, retry_after = facts
            state = throttle(state, state.round - rounds_ago, now, retry_after)
    return state


@given(rates, histories, st.floats(0, 1), st.integers(1, 100), st.booleans())
def test_turns_are_spaced_by_the_rate_and_never_in_a_hold(
    rate: float, history: Sequence[Any], ahead: float, wanted: int, backlog: bool
) -> None:
    state = played(initial_state(rate), history)
    now = max(1000.0, state.held_until - 1)
    after, reservation = reserve(state, now, Demand(wanted, ahead=ahead, backlog=backlog))
    assert reservation.count <= wanted
    if reservation.count:
        assert reservation.first >= max(state.next_at, state.held_until)
        assert (
            reservation.first + (reservation.count - 1) * reservation.interval <= now + ahead + 1e-6
        )
        assert abs(reservation.interval * state.rate - 1) < 1e-9
        assert after.next_at >= reservation.first + reservation.count * reservation.interval - 1e-6
    else:
        assert after == state


@given(rates, histories)
def test_a_throttle_halves_once_a_round(rate: float, history: Sequence[Any]) -> None:
    state = played(initial_state(rate), history)
    once = throttle(state, state.round, 9000.0, None)
    assert once.rate == max(MIN_RATE, state.rate / 2)
    assert throttle(once, state.round, 9000.0, None) == once
    assert throttle(once, once.round, 9000.0, None).rate == max(MIN_RATE, once.rate / 2)


@given(rates, histories, st.floats(0.1, 1e6))
def test_a_late_throttle_still_holds(rate: float, history: Sequence[Any], seconds: float) -> None:
    state = played(initial_state(rate), history)
    held = throttle(state, state.round - 1, 9000.0, seconds)
    assert held.rate == state.rate
    assert held.held_until == max(state.held_until, 9000.0 + min(seconds, MAX_HOLD))


@given(rates, histories, histories)
def test_a_fixed_rate_stays(rate: float, first: Sequence[Any], second: Sequence[Any]) -> None:
    assert played(initial_state(rate, fixed=True), [*first, *second]).rate == rate


@given(rates, histories)
def test_a_rate_that_is_not_used_up_does_not_rise(rate: float, history: Sequence[Any]) -> None:
    state = played(initial_state(rate), history)
    before, now = state.rate, max(9000.0, state.next_at, state.held_until)
    for _ in range(100):
        now += 1.01 / state.rate
        state, _ = reserve(state, now, Demand(1))
    assert state.rate == before


@given(rates, histories)
def test_a_used_up_rate_rises_slowly_and_returns_to_the_throttled_rate(
    rate: float, history: Sequence[Any]
) -> None:
    state = played(initial_state(rate), history)
    ceiling = state.rate
    state = throttle(state, state.round, 9000.0, None)
    for _ in range(200):
        before = state.rate
        now = max(state.next_at, state.held_until)
        state, reservation = reserve(state, now, Demand(1, backlog=True))
        assert reservation.count == 1
        assert before * (1 - 1e-9) <= state.rate <= before * 1.5
    assert state.rate >= 0.95 * ceiling or state.used < 6


def test_a_turn_that_is_given_back_is_there_again() -> None:
    state, _ = reserve(initial_state(10), 1000.0, Demand(1))
    state, reservation = reserve(release(state), 1000.0, Demand(1))
    assert reservation.count == 1


def test_after_a_pause_a_burst_goes_at_once_and_no_more() -> None:
    state, reservation = reserve(
        initial_state(10), 1000.0, Demand(9, ahead=0.0, backlog=False, burst=3)
    )
    assert reservation.count == 3
    assert reserve(state, 1000.0, Demand(1, burst=3))[1].count == 0


def test_the_first_throttle_halves_the_recent_rate_or_uses_the_starting_rate() -> None:
    assert first_throttle(40.0, 2.0, 1000.0, None).rate == 20
    assert first_throttle(1.0, 2.0, 1000.0, 5.0).rate == 2
    assert first_throttle(1.0, 2.0, 1000.0, 5.0).held_until == 1005
