"""Which calls may be repeated, and when: pure facts of an attempt -> seconds to wait, or stop."""

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
    """An attempt that failed, of a call that may safely be sent again."""

    operation: Operation
    error: TikTokShopError
    attempt: int
    """How many there were so far; the first is 1."""
    elapsed: float
    """Seconds since the first attempt began."""


class RetryPolicy(Protocol):
    """Decides when a failed call is sent again; any function of this shape will do.

    It is asked only where sending again is safe, so no policy can make a write happen twice, and
    not once the retries that the options allow are used up.
    """

    def __call__(self, failed: FailedAttempt, /) -> float | None:
        """Return the seconds to wait, or None to give up."""
        ...


@attrs.frozen(kw_only=True)
class ExponentialBackoff:
    """Doubles the longest wait with every attempt, and waits for a random part of it."""

    base: float = 1.0
    """Seconds that the first wait takes at most."""
    longest: float = 60.0
    """Seconds that no such wait exceeds."""
    max_retry_after: float = 120.0
    """A service that asks for more seconds than these is not waited for."""
    give_up_after: float = 120.0
    """No attempt begins later than so many seconds after the first one."""
    chance: Callable[[], float] = attrs.field(default=random.random, repr=False)
    """Returns a number from 0 to 1: the part of the wait that is waited."""

    def __attrs_post_init__(self) -> None:
        for name in ("base", "longest", "max_retry_after", "give_up_after"):
            if not getattr(self, name) >= 0:
                raise InvalidArgumentError(f"{name} is below 0.", argument=name)

    def __call__(self, failed: FailedAttempt, /) -> float | None:
        """Return the seconds to wait, or None to give up."""
        # Past 2**60 nothing is any longer, and a float overflows at 2**1024.
        ceiling = min(self.longest, self.base * 2.0 ** min(failed.attempt - 1, 60))
        wait = ceiling * self.chance()
        asked = failed.error.retry_after if isinstance(failed.error, TikTokAPIError) else None
        if asked is not None:
            if asked > self.max_retry_after:
                return None
            # Everybody was told the same: some chance keeps them from coming back at once.
            wait = max(wait, asked + min(self.base, ceiling) * self.chance())
        return wait if failed.elapsed + wait <= self.give_up_after else None


class RetryBudget:
    """Limits how much repeating adds to the load of a service that is broken.

    A repeat takes one of its tokens and a success gives a tenth back, so in the long run no more
    than a tenth of all calls are repeated. Throttled calls are free: their rate is limited already.
    """

    def __init__(self, tokens: float = 100.0) -> None:
        self._most = self._tokens = tokens

    @property
    def is_full(self) -> bool:
        """Whether nothing of it is used."""
        return self._tokens == self._most

    def take(self) -> bool:
        """Take a token for a repeat; without one there is none."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def give(self) -> None:
        """Note a success."""
        self._tokens = min(self._most, self._tokens + 0.1)


def may_retry(operation: Operation, error: TikTokShopError, *, has_key: bool) -> bool:
    """Tell whether a failed call can be sent again: the fault may pass, and no write is doubled.

    With an idempotency key a write is as good as a read.
    """
    if isinstance(error, RateLimitError):
        return error.retryable  # refused before it was processed
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
