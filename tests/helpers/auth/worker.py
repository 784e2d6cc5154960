"""Processes of an app that cancel orders, forked from one that has loaded what they need.

Each says when it is ready, begins at SIGUSR2, and says what came of it. SIGTERM ends it as a server
is ended, SIGINT without waiting for anything; SIGUSR1 has it tell what its tasks wait for.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any

import attrs

from tiktok_shop_async import AsyncTikTokShop, TikTokShopOAuth, auth
from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.auth import Authorizations, TokenStore


@attrs.frozen(kw_only=True)
class Place:
    """Where a store keeps its values, for several processes to open."""

    store: str
    """The class that keeps them there."""
    url: str
    options: dict[str, Any] = attrs.field(factory=dict)
    encryption_key: str | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[TokenStore]:
        key = self.encryption_key
        async with self.new_store() as store:
            yield auth.EncryptedTokenStore(store, key) if key else store

    def new_store(self) -> Any:
        return getattr(auth, self.store)(self.url, **self.options)


@attrs.frozen(kw_only=True)
class Job:
    """What all of a crew are told."""

    place: Place
    credentials: tuple[str, str]
    base_url: str
    open_id: str
    shop_cipher: str
    ahead: float
    """Seconds by which the clocks of the sandbox and of the app are ahead."""
    reason: str
    shares: Sequence[Sequence[str]]
    """The orders that each process cancels, all at once."""


async def work(job: Job, order_ids: Sequence[str]) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    loop.add_signal_handler(signal.SIGINT, lambda: [each.cancel() for each in asyncio.all_tasks()])
    signal.signal(signal.SIGUSR1, lambda _, frame: tell_what_waits(loop, frame))
    clock = MovableClock()
    clock.advance(job.ahead)
    reach: Any = {"base_url": job.base_url, "clock": clock}
    async with (
        job.place.opened() as store,
        TikTokShopOAuth(*job.credentials, **reach) as oauth,
        Authorizations(oauth, store, clock=clock) as authorizations,
        AsyncTikTokShop(
            *job.credentials,
            auth=authorizations.auth(job.open_id, shop_cipher=job.shop_cipher),
            **reach,
        ) as client,
    ):
        cancel = client.return_refund.cancel_order
        try:
            results = await asyncio.gather(
                *(cancel(order_id=each, cancel_reason=job.reason) for each in order_ids),
                return_exceptions=True,
            )
        except asyncio.CancelledError:
            say(stopping=True)
            raise
        errors = [each for each in results if isinstance(each, BaseException)]
        say(
            succeeded=len(results) - len(errors),
            failed=Counter(type(each).__name__ for each in errors),
            reason=str(errors[0]) if errors else "",
            access_token=client.auth.access_token,
        )


def say(**facts: Any) -> None:
    # One write of less than a pipe takes at once: all processes share it.
    os.write(1, json.dumps({"pid": os.getpid(), **facts}).encode() + b"\n")


def tell_what_waits(loop: asyncio.AbstractEventLoop, frame: FrameType | None) -> None:
    waits: Counter[str] = Counter()
    for task in asyncio.all_tasks(loop):
        awaited: Any = task.get_coro()
        where = []
        while awaited is not None:
            at = getattr(awaited, "cr_frame", None)
            if at is not None:
                where.append(f"{at.f_code.co_qualname}:{at.f_lineno}")
            awaited = getattr(awaited, "cr_await", None)
        waits[" > ".join(where)] += 1
    lines = [f"process {os.getpid()}:", *(f"  {n} x {where}" for where, n in waits.items())]
    print(*lines, *traceback.format_stack(frame)[-3:], sep="\n", file=sys.stderr, flush=True)


def main(job: Job) -> None:
    job.place.new_store()  # loads the database's driver
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    for order_ids in job.shares:
        if os.fork() == 0:
            say(ready=True)
            signal.sigwait({signal.SIGUSR2})
            with suppress(asyncio.CancelledError):
                asyncio.run(work(job, order_ids))
            return
    for _ in job.shares:
        os.wait()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    main(Job(**given | {"place": Place(**given["place"])}))
