"""Retries: which calls may be retried, and the policy that decides how long to wait."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

import attrs

from ..errors import (
    InvalidArgumentError,
    RateLimitError,
    ServiceUnavailableError,
    TikTokAPIError,
    TikTokShopError,
    TransportError,
)
from .attempt_end import AttemptEnd, classify_end
from .operation import Operation


@attrs.frozen(kw_only=True)
class FailedAttempt:
    """A failed attempt of a call that can safely be sent again."""

    operation: Operation
    error: TikTokShopError
    attempt: int
    """The number of attempts so far; the first is 1."""
    elapsed: float
    """Seconds since the first attempt started."""


class RetryPolicy(Protocol):
    """A policy that decides when a failed call is retried; any function of this signature is one.

    It is called only if sending the call again is safe, so no policy can make a write happen twice.
    It is not called once ``max_retries`` is reached.
    """

    def __call__(self, failed: FailedAttempt, /) -> float | None:
        """Return the seconds to wait before the retry, or None to end the call."""
        ...


@attrs.frozen(kw_only=True)
class ExponentialBackoff:
    """Exponential backoff with full jitter: a random wait, whose maximum doubles every time."""

    base: float = 1.0
    """Maximum seconds of the first wait."""
    longest: float = 60.0
    """Maximum seconds of any wait that the service does not ask for."""
    max_retry_after: float = 120.0
    """Maximum seconds that the service may ask to wait; if it asks for more, the call ends."""
    give_up_after: float = 120.0
    """Seconds after the start of the first attempt at which the last retry may start."""
    jitter: Callable[[], float] = attrs.field(default=random.random, repr=False)
    """Returns a number from 0 to 1, the fraction of the maximum that is waited."""

    def __attrs_post_init__(self) -> None:
        for name in ("base", "longest", "max_retry_after", "give_up_after"):
            if not getattr(self, name) >= 0:
                raise InvalidArgumentError(
                    f"{name} must be at least 0, not {getattr(self, name)!r}.", argument=name
                )

    def __call__(self, failed: FailedAttempt, /) -> float | None:
        """Return the seconds to wait before the retry, or None to end the call."""
        # The exponent is bounded because a float overflows at 2**1024.
        ceiling = min(self.longest, self.base * 2.0 ** min(failed.attempt - 1, 60))
        wait = ceiling * self.jitter()
        retry_after = failed.error.retry_after if isinstance(failed.error, TikTokAPIError) else None
        if retry_after is not None:
            if retry_after > self.max_retry_after:
                return None
            # All throttled callers get the same Retry-After: jitter keeps them from retrying at
            # the same time.
            wait = max(wait, retry_after + min(self.base, ceiling) * self.jitter())
        return wait if failed.elapsed + wait <= self.give_up_after else None


class RetryBudget:
    """A token bucket that limits how much retries add to the load of a failing service.

    A retry takes a token, and a success returns a tenth of one. So in the long run at most a tenth
    of all calls are retried. Retries of throttled calls take none: their rate is limited already.
    """

    def __init__(self, tokens: float = 100.0) -> None:
        self._max_tokens = self._tokens = tokens

    def take(self) -> bool:
        """Take a token for a retry; return False if there is none."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def record_success(self) -> None:
        """Return a tenth of a token."""
        if self._tokens < self._max_tokens:
            self._tokens = min(self._max_tokens, self._tokens + 0.1)


def may_retry(operation: Operation, error: TikTokShopError, *, has_key: bool) -> bool:
    """Return whether a retry of a failed call may succeed and cannot make a write happen twice.

    With an idempotency key, a write is retried like a read.
    """
    if isinstance(error, RateLimitError):
        return error.retryable  # rejected before it was processed
    if operation.effect == "write" and not has_key and may_have_been_processed(operation, error):
        return False
    return isinstance(error, TransportError) or (
        isinstance(error, ServiceUnavailableError) and error.retryable
    )


def may_have_been_processed(operation: Operation, error: TikTokShopError) -> bool:
    """Return whether a write that failed with ``error`` may have been processed."""
    return (
        operation.effect == "write" and classify_end(error, maybe_sent=True) is AttemptEnd.UNKNOWN
    )
