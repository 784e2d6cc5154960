"""Redis that takes the time it is told, and answers before anything else happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from auth.databases import REDIS_URL
from redis import Redis


class TimedRedis:
    """As much of a client of redis-py as a limiter uses."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.asked = 0
        self.away = False
        self._redis = Redis.from_url(REDIS_URL)

    def register_script(self, script: str) -> Any:
        run = self._redis.register_script(script)

        async def decide(keys: Sequence[str], args: Sequence[str]) -> Any:
            if self.away:
                raise ConnectionResetError
            self.asked += 1
            event, options = args
            told = json.dumps({"now": self.clock(), **json.loads(options)})
            return run(keys=list(keys), args=[event, told])

        return decide

    def close(self) -> None:
        self._redis.close()
