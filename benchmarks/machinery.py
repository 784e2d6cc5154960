"""What retries, limiter and events cost a call, with nothing failing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async.events import CallEvent
from tiktok_shop_async.limits import LearningLimiter
from tiktok_shop_async.models.return_refund import CancelOrderResult
from tiktok_shop_async.options import RequestOptions
from tiktok_shop_async.pipeline.request import Call
from tiktok_shop_async.resources.return_refund import CANCEL_ORDER

from .contestants import CREDENTIALS, ORDER, InMemory, seconds_per_call
from .harness import Goal, Table, medians

COUNT = 1500
ROUNDS = 9
BARE = "one bare attempt"
DEFAULT = "a call with default settings"
WATCHED = "a call with a limiter and an observer"


async def measure() -> list[Table]:
    told = 0

    def count(_: CallEvent) -> None:
        nonlocal told
        told += 1

    async with (
        AsyncTikTokShop(**CREDENTIALS, transport=InMemory()) as client,
        AsyncTikTokShop(
            **CREDENTIALS,
            transport=InMemory(),
            limiter=LearningLimiter(),
            observers=[count],
        ) as watched,
    ):
        call = Call(operation=CANCEL_ORDER, body=ORDER, options=RequestOptions())
        bare = partial(client._pipeline._attempt, call, "202602", client.auth, CancelOrderResult, 1)

        async def bare_attempt() -> Any:
            client._session.check_usable()
            return await bare()

        contestants: dict[str, Callable[[], Awaitable[Any]]] = {
            BARE: bare_attempt,
            DEFAULT: lambda: client.return_refund.cancel_order(**ORDER),
            WATCHED: lambda: watched.return_refund.cancel_order(**ORDER),
        }

        async def microseconds(name: str) -> float:
            return 1e6 * await seconds_per_call(contestants[name], COUNT)

        for name in contestants:
            await microseconds(name)
        figures = await medians({name: partial(microseconds, name) for name in contestants}, ROUNDS)
    goals = [Goal(DEFAULT, BARE, 1.1), Goal(WATCHED, BARE, 1.1)]
    note = f"the observer was told of {told:,} events"
    return [Table("Retries, limiter and events", "µs per call", figures, goals, [note])]
