"""The cost of retries, limiter and events in a call in which nothing fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async.events import CallEvent
from tiktok_shop_async.limits import LearningLimiter
from tiktok_shop_async.pipeline.call import PreparedCall
from tiktok_shop_async.pipeline.run import Pipeline
from tiktok_shop_async.transport.delivery import Delivery

from .contestants import CREDENTIALS, ORDER, InMemory
from .harness import Goal, Table, medians

COUNT = 400
ROUNDS = 31
BARE = "the pipeline without them"
RETRIES = "with retries"
LIMITED = "with retries, a limiter and events"
WATCHED = "the same, and an observer"


class BarePipeline(Pipeline):
    """Makes one attempt, in its place in flight."""

    async def run(self, call: Any, model: Any, credentials: Any) -> Any:
        """Send a call once."""
        self._session.check_usable()
        prepared = PreparedCall(call, self._choose_version(call), model, credentials)
        if not credentials.is_ready(call.operation.cipher):
            await credentials.prepare(call.operation.cipher)
        async with self._session.slots:
            return await self._attempt(prepared, 1, Delivery())


async def measure() -> list[Table]:
    events = 0

    def count(_: CallEvent) -> None:
        nonlocal events
        events += 1

    new_client: Callable[..., AsyncTikTokShop] = partial(
        AsyncTikTokShop, **CREDENTIALS, transport=InMemory()
    )
    clients = {
        BARE: new_client(),
        RETRIES: new_client(),
        LIMITED: new_client(limiter=LearningLimiter()),
        WATCHED: new_client(limiter=LearningLimiter(), observers=[count]),
    }
    vars(clients[BARE])["_pipeline"] = BarePipeline(clients[BARE]._session)

    async def microseconds(client: AsyncTikTokShop) -> float:
        cancel_order = client.return_refund.cancel_order
        start = time.process_time()  # of the processor: few microseconds are to be told apart
        for _ in range(COUNT):
            await cancel_order(**ORDER)
        return 1e6 * (time.process_time() - start) / COUNT

    figures = await medians(
        {name: partial(microseconds, client) for name, client in clients.items()}, ROUNDS
    )
    for client in clients.values():
        await client.aclose()
    note = f"the observer got {events:,} events"
    goals = [Goal(LIMITED, BARE, 1.1)]
    return [Table("Retries, limiter and events", "µs per call", figures, goals, [note])]
