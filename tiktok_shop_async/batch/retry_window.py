"""How long a batch goes on after faults that pass and that surely changed nothing."""

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
    """Makes calls again for some time: a batch can wait for longer than a single call does.

    With one call in ten throttled, some are throttled five times in a row.
    """

    def __init__(self, client: AsyncTikTokShop, seconds: float) -> None:
        self._client = client
        self._policy = ExponentialBackoff(longest=30.0, give_up_after=seconds)

    async def __call__(self, operation: Operation, call: Callable[[], Awaitable[T]]) -> T:
        """Return what a call gives, or raise what it still fails with in the end."""
        self._client.check_usable()
        clock = self._client.clock
        began, attempt = clock.monotonic(), 0
        while True:
            attempt += 1
            try:
                return await call()
            except TikTokShopError as error:
                wait = self._wait_after(operation, error, attempt, clock.monotonic() - began)
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
