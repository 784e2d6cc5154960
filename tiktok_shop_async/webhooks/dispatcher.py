"""Takes events out of a store and has them handled, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from .._waiting import GRACE
from .stores.base import ClaimedEvent, WebhookStore

logger = logging.getLogger("tiktok_shop_async.webhooks")

LOOK_EVERY = 1.0
"""Seconds between two looks for what is due again, or was brought by another process."""
FORGET_EVERY = 600.0
TRIES = (0.2, 1.0)
"""Seconds before a note in the store is tried again."""

Handle = Callable[[ClaimedEvent], Awaitable[object]]


class Dispatcher:
    """Runs as a task of one event loop until it is stopped."""

    def __init__(
        self,
        store: WebhookStore,
        handle: Handle,
        *,
        concurrency: int,
        lease: float,
        pauses: Sequence[float],
    ) -> None:
        """Make it; ``pauses`` are the seconds before each further attempt."""
        self.loop = asyncio.get_running_loop()
        self._store = store
        self._handle = handle
        self._concurrency = concurrency
        self._lease = lease
        self._pauses = pauses
        self._most = len(pauses) + 1
        """Attempts of an event."""
        self._running: dict[asyncio.Task[None], ClaimedEvent] = {}
        self._news = asyncio.Event()
        self._stops = asyncio.Event()
        self._drains = False
        self._tasks = [
            asyncio.create_task(self._dispatch()),
            asyncio.create_task(self._keep_claims()),
            asyncio.create_task(self._forget()),
        ]

    def wake(self) -> None:
        """Say that an event is there."""
        self._news.set()

    async def stop(self, *, drain: bool, patience: float) -> None:
        """Let what runs end, with ``drain`` all that is due; cut off what takes too long."""
        self._drains = drain
        self._stops.set()
        self._news.set()
        await asyncio.wait(self._tasks[:1], timeout=patience)
        left = {*self._tasks, *self._running}
        for _ in range(2):  # the second time also those whose note in the store hangs
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=GRACE)

    async def _dispatch(self) -> None:
        while not self._stops.is_set() or self._drains:
            self._news.clear()
            room = self._concurrency - len(self._running)
            claims = await self._claim(room) if room else ()
            for claim in claims:
                task = asyncio.create_task(self._work(claim))
                self._running[task] = claim
                task.add_done_callback(self._ended)
            if self._drains and not claims and not self._running:
                return
            if len(claims) < room or not room:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._news.wait()
        if self._running:
            await asyncio.wait(self._running)

    async def _claim(self, room: int) -> Sequence[ClaimedEvent]:
        try:
            return await self._store.claim(room, lease=self._lease)
        except Exception as error:  # the store may be back the next time
            logger.error("no events could be taken from the store: %s", error)
            return ()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self.wake()
        if not task.cancelled() and task.exception():
            logger.error("an event was left to be handled again", exc_info=task.exception())

    async def _work(self, claim: ClaimedEvent) -> None:
        if claim.attempt > self._most:
            await self._bury(claim, f"no attempt of {self._most} came to an end")
            return
        try:
            await self._handle(claim)
        except asyncio.CancelledError as error:
            if not _is_cancelled():  # something that the handler waited for was
                await self._failed(claim, error)
                return
            await self._note(lambda: self._store.put_back(claim, counted=False))
            raise
        except Exception as error:  # whatever a handler may raise
            await self._failed(claim, error)
        else:
            await self._note(lambda: self._store.finish(claim))

    async def _failed(self, claim: ClaimedEvent, error: BaseException) -> None:
        logger.warning(
            "event %s was not handled, attempt %d of %d",
            claim.key,
            claim.attempt,
            self._most,
            exc_info=error,
        )
        if claim.attempt == self._most:
            await self._bury(claim, f"{type(error).__name__}: {error}")
            return
        pause = self._pauses[claim.attempt - 1]
        await self._note(lambda: self._store.put_back(claim, after=pause))

    async def _bury(self, claim: ClaimedEvent, error: str) -> None:
        logger.error("event %s was given up, and is among the dead letters: %s", claim.key, error)
        await self._note(lambda: self._store.bury(claim, error=error))

    async def _note(self, note: Callable[[], Awaitable[object]]) -> None:
        """Note it in the store; if that fails for long, the event comes again with its lease."""
        for pause in TRIES:
            try:
                await note()
            except Exception as error:
                logger.warning("the store has not noted what became of an event: %s", error)
                await asyncio.sleep(pause)
            else:
                return
        await note()

    async def _keep_claims(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            if self._running:
                try:
                    await self._store.renew(list(self._running.values()), lease=self._lease)
                except Exception as error:  # the next beat may succeed
                    logger.warning("leases could not be renewed: %s", error)

    async def _forget(self) -> None:
        while True:
            try:
                await self._store.forget()
            except Exception as error:  # there is time
                logger.warning("the store could not be tidied up: %s", error)
            await asyncio.sleep(FORGET_EVERY)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
