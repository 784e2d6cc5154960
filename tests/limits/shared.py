"""A Redis client whose scripts run at a given time, and respond before another task runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from auth.databases import REDIS_URL
from redis import Redis


class TimedRedis:
    """The part of a redis-py client that a limiter uses."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.requests = 0
        self.unreachable = False
        self._redis = Redis.from_url(REDIS_URL)

    def register_script(self, script: str) -> Any:
        run = self._redis.register_script(script)

        async def decide(keys: Sequence[str], args: Sequence[str]) -> Any:
            if self.unreachable:
                raise ConnectionResetError
            self.requests += 1
            event, options = args
            given = json.dumps({"now": self.clock(), **json.loads(options)})
            return run(keys=list(keys), args=[event, given])

        return decide

    def close(self) -> None:
        self._redis.close()
