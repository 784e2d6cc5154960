"""Leases that expire while a handler of the same process still runs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest
from helpers.webhooks.serving import WEBHOOKS, delivery, signed
from webhooks.test_handling import AT_ONCE, until

from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.webhooks import (
    ClaimedEvent,
    MemoryWebhookStore,
    WebhookEvent,
    WebhookReceiver,
)

LEASE = 60.0


class Expiring(MemoryWebhookStore):
    """A store whose leases expire as if the process had stood still."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.claimed: list[str] = []
        self.renewed: list[str] = []
        super().__init__(clock=self.clock)

    async def claim(self, most: int, *, lease: float) -> Sequence[ClaimedEvent]:
        claims = await super().claim(most, lease=lease)
        self.claimed += [each.claim for each in claims]
        return claims

    async def renew(self, claims: Collection[ClaimedEvent], *, lease: float) -> None:
        self.renewed += [each.claim for each in claims]
        await super().renew(claims, lease=lease)


class Slow:
    """A handler of event 1 that ends when it is released; any other event ends at once."""

    def __init__(self, *, fails: bool = False) -> None:
        self.begun: list[str] = []
        self.release = asyncio.Event()
        self._fails = fails

    async def __call__(self, event: WebhookEvent) -> None:
        self.begun.append(event.id)
        if event.id == "1":
            await self.release.wait()
            if self._fails:
                raise ValueError("not yet")


async def expire(receiver: WebhookReceiver, store: Expiring, slow: Slow, *, times: int = 1) -> None:
    """Let the receiver take event 1 from the store again after its lease has expired."""
    await receiver.receive(*signed(delivery(1)))
    await until(lambda: "1" in slow.begun)
    for number in range(times):
        store.clock.advance(LEASE + 1)
        await receiver.receive(*signed(delivery(f"wake {number}")))  # taken together with event 1
        await until(lambda number=number: f"wake {number}" in slow.begun)


async def settled(receiver: WebhookReceiver) -> None:
    async with asyncio.timeout(20):
        await receiver.join()


@pytest.mark.parametrize("ordered", [False, True])
async def test_an_event_whose_lease_expired_never_runs_twice_at_once(ordered: bool) -> None:
    store, slow = Expiring(), Slow()
    async with WebhookReceiver(WEBHOOKS, store=store, ordered=ordered, lease=LEASE) as receiver:
        receiver.on(WebhookEvent)(slow)
        await expire(receiver, store, slow, times=2)
        slow.release.set()
        await settled(receiver)
    assert slow.begun.count("1") == 1


@pytest.mark.parametrize("ordered", [False, True])
async def test_an_event_whose_lease_expired_is_no_dead_letter_if_its_handler_succeeds(
    ordered: bool,
) -> None:
    """However often the lease expired."""
    store, slow = Expiring(), Slow()
    async with WebhookReceiver(
        WEBHOOKS, store=store, ordered=ordered, lease=LEASE, pauses=(0.0,)
    ) as receiver:
        receiver.on(WebhookEvent)(slow)
        await expire(receiver, store, slow, times=3)
        assert (await store.counts()).dead == 0
        slow.release.set()
        await settled(receiver)
    assert (await store.counts()).dead == 0
    assert slow.begun.count("1") == 1


async def test_an_event_whose_lease_expired_and_whose_handler_fails_is_handled_again() -> None:
    """At once, rather than when its new lease has expired, too."""
    store, slow = Expiring(), Slow(fails=True)
    async with WebhookReceiver(WEBHOOKS, store=store, lease=LEASE, pauses=AT_ONCE) as receiver:
        receiver.on(WebhookEvent)(slow)
        await expire(receiver, store, slow)
        slow.release.set()
        await settled(receiver)
    assert slow.begun.count("1") == 4  # the fifth attempt is the lease that expired
    (letter,) = [each async for each in store.dead_letters()]
    assert letter.attempts == 5


async def test_an_event_that_fails_after_more_leases_than_attempts_is_a_dead_letter() -> None:
    store, slow = Expiring(), Slow(fails=True)
    async with WebhookReceiver(WEBHOOKS, store=store, lease=LEASE, pauses=(0.0,)) as receiver:
        receiver.on(WebhookEvent)(slow)
        await expire(receiver, store, slow, times=3)
        slow.release.set()
        await settled(receiver)
    (letter,) = [each async for each in store.dead_letters()]
    assert letter.error == "ValueError: not yet"
    assert slow.begun.count("1") == 1


async def test_the_lease_that_is_renewed_is_the_latest() -> None:
    store, slow = Expiring(), Slow()
    lease = 0.06
    async with WebhookReceiver(WEBHOOKS, store=store, lease=lease) as receiver:
        receiver.on(WebhookEvent)(slow)
        await expire(receiver, store, slow)
        (latest,) = {store._waiting["key/1"].claim}
        await until(lambda: latest in store.renewed)
        assert store.claimed[0] != latest
        slow.release.set()
        await settled(receiver)
