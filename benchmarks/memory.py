"""One call without a network: what the client itself costs."""

from __future__ import annotations

from functools import partial

from .contestants import InMemory, calls, seconds_per_call
from .harness import BORROWED, HTTPX, OURS, PEER, Goal, Table, medians

COUNT = 1500


async def measure() -> list[Table]:
    async with calls("http://shop.example", InMemory()) as clients:

        async def microseconds(name: str) -> float:
            return 1e6 * await seconds_per_call(clients[name], COUNT)

        for name in clients:  # imports, caches
            await seconds_per_call(clients[name], 10)
        figures = await medians({name: partial(microseconds, name) for name in clients})
    goals = [Goal(OURS, HTTPX, 0.6), Goal(BORROWED, HTTPX, 0.85), Goal(OURS, PEER, 0.3)]
    note = "httpx is `post(json=…)` and `.json()`: neither signed nor typed."
    return [Table("A call in memory", "µs per call", figures, goals, [note])]
