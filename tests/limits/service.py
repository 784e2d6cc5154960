"""A service with a token bucket whose rate changes, and callers that always have another call."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import attrs
from limits.virtual_time import now

from tiktok_shop_async.limits import EndpointClass, Limiter, LimitKey

KEY = LimitKey("app", "shop", EndpointClass.WRITE)


@attrs.define
class Phase:
    seconds: float
    rate: float
    passed: int = 0
    throttled: int = 0


class Service:
    def __init__(self, phases: Sequence[tuple[float, float]], *, burst: float) -> None:
        self.phases = [Phase(*phase) for phase in phases]
        self._began = self._filled_at = now()
        self._burst = self._tokens = burst

    @property
    def phase(self) -> Phase:
        ends = self._began
        for phase in self.phases:
            ends += phase.seconds
            if now() < ends:
                return phase
        return self.phases[-1]

    def take(self) -> bool:
        phase = self.phase
        gained = (now() - self._filled_at) * phase.rate
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now()
        if self._tokens < 1 - 1e-9:
            phase.throttled += 1
            return False
        self._tokens -= 1
        phase.passed += 1
        return True

    @property
    def used(self) -> float:
        allowed = sum(phase.seconds * phase.rate for phase in self.phases)
        return sum(phase.passed for phase in self.phases) / allowed

    @property
    def throttled(self) -> float:
        refused = sum(phase.throttled for phase in self.phases)
        return refused / (refused + sum(phase.passed for phase in self.phases))


async def flood(
    service: Service, limiter: Limiter, *, callers: int, seed: int, delay: float = 0.0
) -> None:
    """Call as often as the limiter allows, with ``callers`` whose calls take 20 to 300 ms.

    Args:
        delay: The maximum seconds, besides 10 ms, until a call reaches the service.
    """
    rng = random.Random(seed)  # noqa: S311

    async def call() -> None:
        while True:
            permit = await limiter.acquire(KEY, "normal")
            latency = 0.01 + rng.random() * delay
            await asyncio.sleep(latency)
            passed = service.take()
            await asyncio.sleep(max(0.01, rng.uniform(0.02, 0.3) - latency))
            if not passed:
                await limiter.throttled(permit, retry_after=None, quota=False)

    tasks = [asyncio.create_task(call()) for _ in range(callers)]
    await asyncio.wait(tasks, timeout=sum(phase.seconds for phase in service.phases))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
