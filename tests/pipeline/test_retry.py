"""Retries as a pure function: which calls are retried, when, and which never are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiktok_shop_async import (
    AccessTokenExpiredError,
    ConnectError,
    InvalidArgumentError,
    InvalidRequestError,
    RateLimitError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServiceUnavailableError,
    TikTokShopError,
    TransportError,
)
from tiktok_shop_async.pipeline.operation import Operation
from tiktok_shop_async.pipeline.retry import (
    ExponentialBackoff,
    FailedAttempt,
    RetryBudget,
    may_have_been_processed,
    may_retry,
)
from tiktok_shop_async.resources.order import GET_ORDER_DETAIL
from tiktok_shop_async.resources.return_refund import APPROVE_RETURN, CANCEL_ORDER

Make = Callable[[], TikTokShopError]

UNSENT: dict[str, Make] = {
    "not connected": lambda: ConnectError("x", maybe_sent=False),
    "no time to connect": lambda: RequestTimeoutError("x", maybe_sent=False),
    "throttled": lambda: RateLimitError("x", retryable=True),
}
PASSING: dict[str, Make] = {
    "reset": lambda: TransportError("x"),
    "timed out": lambda: RequestTimeoutError("x"),
    "a connection lost by a strange transport": lambda: ConnectError("x", maybe_sent=True),
    "internal error": lambda: ServiceUnavailableError("x", retryable=True),
}
LASTING: dict[str, Make] = {
    "the hour's quota": lambda: RateLimitError("x", retryable=False),
    "a bad request": lambda: InvalidRequestError("x"),
    "a bad argument": lambda: InvalidArgumentError("x"),
    "an expired token": lambda: AccessTokenExpiredError("x", retryable=True),
    "a redirect": lambda: ResponseDecodeError("x"),
    "code 0 with HTTP 500": lambda: ServiceUnavailableError("x", retryable=False),
}


def parameters(*kinds: dict[str, Make]) -> Any:
    return pytest.mark.parametrize(
        "make", [pytest.param(make, id=name) for kind in kinds for name, make in kind.items()]
    )


@parameters(UNSENT, PASSING)
def test_a_read_is_repeated_on_any_passing_fault(make: Make) -> None:
    assert may_retry(GET_ORDER_DETAIL, make(), has_key=False)


@parameters(LASTING)
@pytest.mark.parametrize("operation", [GET_ORDER_DETAIL, CANCEL_ORDER, APPROVE_RETURN])
def test_what_would_fail_again_is_not_repeated(make: Make, operation: Operation) -> None:
    assert not may_retry(operation, make(), has_key=operation is APPROVE_RETURN)


@parameters(UNSENT)
def test_a_write_is_repeated_where_it_surely_was_not_processed(make: Make) -> None:
    assert may_retry(CANCEL_ORDER, make(), has_key=False)
    assert not may_have_been_processed(CANCEL_ORDER, make())


@parameters(PASSING)
def test_a_write_that_may_have_happened_is_repeated_with_an_idempotency_key_only(
    make: Make,
) -> None:
    assert not may_retry(CANCEL_ORDER, make(), has_key=False)
    assert may_have_been_processed(CANCEL_ORDER, make())
    assert may_retry(APPROVE_RETURN, make(), has_key=True)
    assert not may_have_been_processed(GET_ORDER_DETAIL, make())


jitters = st.floats(0, 1)
seconds = st.floats(0, 1e6)
failures = st.builds(
    FailedAttempt,
    operation=st.just(CANCEL_ORDER),
    error=st.one_of(
        st.builds(ConnectError, st.just("x")),
        st.builds(
            RateLimitError,
            st.just("x"),
            retryable=st.just(True),
            retry_after=st.none() | seconds,
        ),
        st.builds(
            ServiceUnavailableError,
            st.just("x"),
            retryable=st.just(True),
            retry_after=st.none() | seconds,
        ),
    ),
    attempt=st.integers(1, 100_000),
    elapsed=seconds,
)
backoffs = st.builds(
    ExponentialBackoff,
    base=st.floats(0, 1000),
    longest=st.floats(0, 1000),
    max_retry_after=st.floats(0, 1000),
    give_up_after=seconds,
    jitter=jitters.map(lambda fraction: lambda: fraction),
)


@given(backoffs, failures)
def test_every_wait_is_within_its_bounds(
    backoff: ExponentialBackoff, failed: FailedAttempt
) -> None:
    """Not above the ceiling, not below Retry-After, and over before it is time to give up."""
    wait = backoff(failed)
    asked = getattr(failed.error, "retry_after", None)
    if wait is None:
        least = 0.0 if asked is None else asked
        most = least + min(backoff.base, backoff.longest) + backoff.longest
        assert failed.elapsed + most > backoff.give_up_after or (
            asked is not None and asked > backoff.max_retry_after
        )
        return
    ceiling = min(backoff.longest, backoff.base * 2.0 ** min(failed.attempt - 1, 60))
    assert failed.elapsed + wait <= backoff.give_up_after
    if asked is None:
        assert 0 <= wait <= ceiling
    else:
        assert asked <= backoff.max_retry_after
        assert asked <= wait <= max(ceiling, asked + backoff.base)


@given(st.floats())
@example(math.nan)
@example(math.inf)
@example(-1.0)
@example(1e9)
def test_no_retry_after_makes_a_wait_that_is_not_within_the_bounds(retry_after: float) -> None:
    error = RateLimitError("x", retryable=True, retry_after=retry_after)
    wait = ExponentialBackoff()(
        FailedAttempt(operation=CANCEL_ORDER, error=error, attempt=1, elapsed=0.0)
    )
    assert wait is None or 0 <= wait <= 120
    if not retry_after > 119:
        assert wait is not None


@given(st.integers(1, 100_000), jitters, jitters)
def test_the_jitter_is_full(attempt: int, low: float, high: float) -> None:
    """A wait is any part of the ceiling, in proportion to the jitter."""
    ceilings = set()
    for fraction in (low, high):
        if fraction > 1e-6:
            backoff = ExponentialBackoff(
                jitter=lambda fraction=fraction: fraction, give_up_after=1e9
            )
            wait = backoff(
                FailedAttempt(
                    operation=CANCEL_ORDER, error=ConnectError("x"), attempt=attempt, elapsed=0.0
                )
            )
            assert wait is not None
            ceilings.add(round(wait / fraction, 3))
    assert len(ceilings) <= 1
    assert all(math.isclose(each, min(60, 2 ** min(attempt - 1, 10))) for each in ceilings)


@pytest.mark.parametrize("name", ["base", "longest", "max_retry_after", "give_up_after"])
@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_a_wait_below_zero_is_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidArgumentError, match=name):
        ExponentialBackoff(**{name: value})


@given(st.lists(st.booleans(), max_size=2000))
def test_no_more_is_repeated_than_the_budget_and_a_tenth_of_what_succeeds(
    history: list[bool],
) -> None:
    budget, repeats = RetryBudget(10), 0
    for succeeded in history:
        if succeeded:
            budget.record_success()
        else:
            repeats += budget.take()
    assert repeats <= 10 + sum(history) / 10 + 1e-6
    assert repeats == len(history) - sum(history) or repeats >= 10
