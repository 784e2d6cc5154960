"""Calls over HTTP on loopback, 1, 20 and 100 in flight, each client with its own transport."""

from __future__ import annotations

from functools import partial

from . import node, server
from .contestants import calls, seconds_per_call
from .harness import BORROWED, NODE, OURS, PEER, Measure, Table, faster, medians

COUNTS = {1: 300, 20: 600, 100: 600}
TIMES_THE_PEER = {1: 1.8, 20: 4.0, 100: 4.0}
TIMES_NODE = 1.2


async def measure() -> list[Table]:
    tables = []
    with server.running() as origin:
        async with calls(origin) as clients, node.running(origin) as in_node:
            del clients[BORROWED]  # a plain AsyncClient's pool: as httpx, for all that counts here
            for in_flight, count in COUNTS.items():

                async def microseconds(name: str, count: int, in_flight: int) -> float:
                    return 1e6 * await seconds_per_call(clients[name], count, in_flight)

                async def microseconds_in_node(count: int, in_flight: int) -> float:
                    assert in_node is not None
                    return 1e6 * await in_node(count, in_flight)

                contestants: dict[str, Measure] = {
                    name: partial(microseconds, name, count, in_flight) for name in clients
                }
                if in_node:
                    contestants[NODE] = partial(microseconds_in_node, count, in_flight)
                for warm_up in contestants.values():
                    await warm_up()
                figures = await medians(contestants)
                goals = [
                    faster(OURS, PEER, TIMES_THE_PEER[in_flight]),
                    faster(OURS, NODE, TIMES_NODE),
                ]
                notes = (
                    []
                    if in_node
                    else ["The TypeScript SDK was left out, because Node is not installed."]
                )
                title = f"Over HTTP on loopback, {in_flight} in flight"
                tables.append(Table(title, "µs per call", figures, goals, notes))
    return tables
