"""However responses are damaged, the client's reports agree with the shop's record.

The shop carries out each request it gets, damages many of the responses, and keeps a record. A
success must belong to its own request, which the shop carried out; a request that was reported as
not sent must be unknown to the shop; and no write may reach it twice.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from damage import DamagingShop, Record, confirmed
from raw_shop import Certificates, client_of, raw_shop

from tiktok_shop_async import (
    AsyncTikTokShop,
    OutcomeUnknownError,
    TikTokShopError,
    TransportError,
)

CONCURRENCY = 40


async def call(client: AsyncTikTokShop, identity: str) -> TikTokShopError | str | None:
    """Make the call ``identity``; return what it reports: whose success, or an error."""
    try:
        if identity.startswith("1"):
            cancelled = await client.return_refund.cancel_order(
                order_id=identity, cancel_reason="x"
            )
            return cancelled.data.cancel_id
        found = await client.order.get_order_detail(ids=[identity])
        return found.data.orders[0].id if found.data.orders else None
    except TikTokShopError as error:
        return error


def fault(record: Record, identity: str, outcome: TikTokShopError | str | None) -> str | None:
    """Return what is wrong about a reported outcome; None if it is honest."""
    is_write = identity.startswith("1")
    processed = record.processed[identity]
    if is_write and processed > 1:
        return f"sent {processed} times"
    if isinstance(outcome, OutcomeUnknownError):
        return None if is_write else "the outcome of a read is never unknown"
    if isinstance(outcome, TransportError):
        return "reported as not sent" if is_write and processed else None
    if isinstance(outcome, TikTokShopError):
        # A refusal of what was carried out: only damage of the body can make one.
        honest = not is_write or not processed or record.has_damaged_body(identity)
        return None if honest else f"reported as {outcome!r}"
    if not processed:
        return "success of a request that never arrived"
    belongs_to = confirmed(outcome)
    if belongs_to == identity or (belongs_to is None and record.has_damaged_body(identity)):
        return None
    return f"success of {outcome}"


async def no_wait(_: float) -> None:
    pass


@pytest.mark.parametrize(
    ("calls", "secure"),
    [(1_000, False), (500, True), pytest.param(10_000, False, marks=pytest.mark.scale)],
)
async def test_what_is_reported_agrees_with_what_the_shop_did(calls: int, secure: bool) -> None:
    seed = random.randrange(2**32)  # noqa: S311 - no secret
    rng = random.Random(seed)  # noqa: S311
    shop = DamagingShop(rng)
    certificates = Certificates() if secure else None
    options: dict[str, Any] = {"max_retries": 2, "sleep": no_wait, "timeout": 0.5}
    reported: dict[str, TikTokShopError | str | None] = {}
    todo = iter(range(calls))

    async def work(client: AsyncTikTokShop) -> None:
        for number in todo:
            identity = f"{rng.randrange(1, 3)}{number:08}"
            reported[identity] = await call(client, identity)

    async with (
        raw_shop(shop.serve, certificates and certificates.server) as server,
        client_of(server, certificates, max_in_flight=CONCURRENCY, **options) as client,
    ):
        views = [client.for_shop(shop_cipher=f"cipher-{n}") for n in range(CONCURRENCY)]
        await asyncio.gather(*map(work, views))

    record = shop.record
    faults = {
        identity: (reason, record.sent.get(identity))
        for identity, outcome in reported.items()
        if (reason := fault(record, identity, outcome))
    }
    assert not faults, (
        f"seed {seed}: {len(faults)} wrong outcomes, such as {next(iter(faults.items()))}"
    )
    assert len(reported) == calls
    kinds = Counter(type(outcome).__name__ for outcome in reported.values())
    assert kinds["str"] > calls / 2
    assert kinds["OutcomeUnknownError"] > calls / 50
    assert server.connections < calls  # undamaged connections are reused
