"""One of several processes that share a limiter, and a token bucket in Redis as the service."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any

from redis.asyncio import Redis

from tiktok_shop_async.limits import EndpointClass, LimitKey, RedisLimiter

TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local there = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(there[1] or burst) + (now - tonumber(there[2] or now)) * rate
tokens = math.min(burst, tokens)
local passed = tokens >= 1 and 1 or 0
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens - passed),
           'at', string.format('%.17g', now))
return passed
"""
KEY = LimitKey("app", "shop", EndpointClass.WRITE)


async def main(url: str, job: dict[str, Any]) -> None:
    counts = {"passed": 0, "throttled": 0}
    loop = asyncio.get_running_loop()
    async with (
        RedisLimiter(
            url, prefix=job["prefix"], rates={EndpointClass.WRITE: job["start"]}
        ) as limiter,
        Redis.from_url(url) as redis,
    ):
        take = redis.register_script(TAKE)
        await redis.ping()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        began = loop.time()
        seconds = sum(seconds for seconds, _ in job["phases"])

        def rate() -> float:
            ends = began
            for seconds, rate in job["phases"]:
                ends += seconds
                if loop.time() < ends:
                    return float(rate)
            return float(job["phases"][-1][1])

        async def call() -> None:
            while True:
                permit = await limiter.acquire(KEY, "normal")
                if loop.time() > began + seconds:
                    return
                passed = await take(keys=[f"{job['prefix']}service"], args=[rate(), job["burst"]])
                counts["passed" if passed else "throttled"] += 1
                await asyncio.sleep(random.uniform(0.02, 0.2))  # noqa: S311
                if not passed:
                    await limiter.throttled(permit, retry_after=None, quota=False)

        calls = [asyncio.create_task(call()) for _ in range(job["callers"])]
        await asyncio.wait(calls, timeout=seconds)
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    print(json.dumps(counts), flush=True)


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
