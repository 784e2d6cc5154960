"""Retries of a batch: for a limited time, after transient failures that changed nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from ..errors import TikTokShopError
from ..pipeline.retry import ExponentialBackoff, FailedAttempt, may_retry

if TYPE_CHECKING:
    from ..client import AsyncTikTokShop
    from ..pipeline.operation import Operation

T = TypeVar("T")


class RetryWindow:
    """A time window in which calls are retried, longer than the client's own retries.

    A batch needs this: if one call in ten is throttled, some are throttled five times in a row.
    """

    def __init__(self, client: AsyncTikTokShop, seconds: float) -> None:
        self._client = client
        self._policy = ExponentialBackoff(longest=30.0, give_up_after=seconds)

    async def __call__(self, operation: Operation, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of a call, or raise its last error when the time is over."""
        self._client.check_usable()
        clock = self._client.clock
        started_at, attempt = clock.monotonic(), 0
        while True:
            attempt += 1
            try:
                return await call()
            except TikTokShopError as error:
                wait = self._wait_after(operation, error, attempt, clock.monotonic() - started_at)
                if wait is None:
                    raise
            await clock.sleep(wait)

    def _wait_after(
        self, operation: Operation, error: TikTokShopError, attempt: int, elapsed: float
    ) -> float | None:
        if not may_retry(operation, error, has_key=False):
            return None
        return self._policy(
            FailedAttempt(operation=operation, error=error, attempt=attempt, elapsed=elapsed)
        )
