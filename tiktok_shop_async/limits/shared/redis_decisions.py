"""Requests to Redis for decisions, and the wait before the next one after a failure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from math import inf
from typing import Any

from redis.exceptions import RedisError

from ..._internal.clock import Clock
from ..expiry import KEY_TTL
from ..limited_rate import logger
from .decision import Decision
from .redis_script import DECIDE
from .redis_state import KeyState

RESPONSE_TIMEOUT = 1.0
"""Seconds to wait for a response of Redis."""
RETRY_AFTER = 5.0
"""Seconds until the next request to Redis after one that failed."""


class RedisDecisions:
    """Decisions by a script in Redis, or None while Redis cannot be reached."""

    def __init__(self, client: Any, clock: Clock, *, max_pause: float, log_as: str) -> None:
        """Register the script.

        Args:
            log_as: The start of log messages.
        """
        self._script = client.register_script(DECIDE)
        self._now = clock.monotonic
        self._max_pause = max_pause
        self._log_as = log_as
        self._retry_at = -inf
        self._is_unreachable = False

    async def decide(
        self, event: str, state: KeyState, facts: Mapping[str, Any]
    ) -> Decision | None:
        """Return the decision of Redis, or None if it cannot be reached."""
        if self._now() < self._retry_at:
            return None
        calls, state.calls = state.calls, 0
        options = {"calls": calls, "ttl": KEY_TTL, "max_pause": self._max_pause, **facts}
        if state.start is not None:
            options |= {"start": state.start.low, "fixed": state.start.fixed}
        given = {name: value for name, value in options.items() if value is not None}
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                reply = await self._script(keys=state.names, args=[event, json.dumps(given)])
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self._note_failure(error)
            return None
        if self._is_unreachable:
            self._is_unreachable = False
            logger.info("%s: Redis can be reached again", self._log_as)
        state.fallback.reset()
        return Decision.from_redis(reply)

    def _note_failure(self, error: Exception) -> None:
        self._retry_at = self._now() + RETRY_AFTER
        if not self._is_unreachable:
            self._is_unreachable = True
            logger.warning(
                "%s: Redis cannot be reached (%s); continuing at share_alone of the last rates",
                self._log_as,
                type(error).__name__,
            )
