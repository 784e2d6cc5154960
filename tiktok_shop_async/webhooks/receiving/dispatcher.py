"""Takes events out of a store and has them handled, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from ..._internal.waiting import GRACE
from ..stores.base import ClaimedEvent, WebhookStore
from .handlers import is_interrupted

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
        overdue: Callable[[], int] = lambda: 0,
    ) -> None:
        """Create the dispatcher and start its tasks.

        Args:
            pauses: Seconds before each further attempt.
            overdue: Returns how many handlers still run although their attempt has ended; no other
                events are taken in their place.
        """
        self.loop = asyncio.get_running_loop()
        self._store = store
        self._handle = handle
        self._concurrency = concurrency
        self._lease = lease
        self._pauses = pauses
        self._overdue = overdue
        self._most = len(pauses) + 1
        """Attempts of an event."""
        self._running: dict[asyncio.Task[None], ClaimedEvent] = {}
        """With the latest claim of each task's event."""
        self._handling: dict[str, asyncio.Task[None]] = {}
        """Tasks whose handlers run now, by the key of the event."""
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
        for _ in range(2):  # the second time also those whose note hangs, or that began since
            left = {*self._tasks, *self._running}
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=GRACE)

    async def _dispatch(self) -> None:
        while not self._stops.is_set() or self._drains:
            self._news.clear()
            room = max(self._concurrency - len(self._running) - self._overdue(), 0)
            claims = await self._claim(room) if room else ()
            for claim in claims:
                self._begin(claim)
            if self._drains and room and not claims and not self._running:
                return
            if len(claims) < room or not room:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._news.wait()
        if self._running:
            await asyncio.wait(self._running)

    def _begin(self, claim: ClaimedEvent) -> None:
        task = self._handling.get(claim.key)
        if task is None:
            task = asyncio.create_task(self._work(claim))
            task.add_done_callback(self._ended)
        # Otherwise the lease expired while the handler runs: the task goes on with the new claim.
        self._running[task] = claim

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
        if claim.is_outdated:
            logger.info("event %s was skipped: a later state of its object was handled", claim.key)
            await self._note(lambda: self._store.finish(claim))
            return
        task = asyncio.current_task()
        assert task is not None
        failure: BaseException | None = None
        try:
            await self._handle_as(task, claim)
        except BaseException as error:  # whatever a handler may raise
            if is_interrupted(task) and not task.cancelling():
                raise  # the coroutine was closed, and cannot wait for anything
            if is_interrupted(task) and self._is_ending():
                await self._put_back_interrupted(self._running[task])
                raise
            failure = error
        claim = self._running[task]
        if task.cancelling() and not self._is_ending():
            await _undo_cancellation(task)  # by a handler
        if failure is None:
            await self._note(lambda: self._store.finish(claim))
        else:
            await self._failed(claim, failure)

    async def _handle_as(self, task: asyncio.Task[None], claim: ClaimedEvent) -> None:
        self._handling[claim.key] = task
        try:
            await self._handle(claim)
        finally:  # not later: what is claimed while the result is noted has to be handled again
            del self._handling[claim.key]

    def _is_ending(self) -> bool:
        dispatching = self._tasks[0]
        return self._stops.is_set() or dispatching.done() or dispatching.cancelling() > 0

    async def _failed(self, claim: ClaimedEvent, failure: BaseException) -> None:
        logger.warning(
            "event %s was not handled, attempt %d of %d",
            claim.key,
            claim.attempt,
            self._most,
            exc_info=failure,
        )
        described = _described(failure)
        if claim.attempt >= self._most:
            await self._bury(claim, described)
            return
        pause = self._pauses[claim.attempt - 1]
        await self._note(lambda: self._store.put_back(claim, after=pause, error=described))
        self.loop.call_later(pause, self.wake)

    async def _bury(self, claim: ClaimedEvent, error: str) -> None:
        logger.error("event %s was given up, and is among the dead letters: %s", claim.key, error)
        await self._note(lambda: self._store.dead_letter(claim, error=error))

    async def _put_back_interrupted(self, claim: ClaimedEvent) -> None:
        if self._stops.is_set():
            await self._note(lambda: self._store.put_back(claim, counted=False))
            return
        try:  # once: the event loop is ending, and the store's connections with it
            await self._store.put_back(claim, counted=False)
        except Exception as error:
            logger.warning(
                "event %s will be handled again after its lease has expired: %s", claim.key, error
            )

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


async def _undo_cancellation(task: asyncio.Task[Any]) -> None:
    while task.uncancel():
        pass
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


def _described(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # of its own __str__
        return type(error).__name__
