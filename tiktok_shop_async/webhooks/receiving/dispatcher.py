"""A dispatcher that claims events from a store and calls their handlers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import attrs

from ..._internal.clock import Clock
from ..._internal.waiting import GRACE
from ..stores.base import ClaimedEvent, WebhookStore
from .handlers import is_interrupted

logger = logging.getLogger("tiktok_shop_async.webhooks")

POLL_INTERVAL = 1.0
"""Seconds between two queries for events that are due again, or that another process added."""
FORGET_INTERVAL = 600.0
"""Seconds between two removals of expired ids from the store."""
RETRY_PAUSES = (0.2, 1.0)
"""Seconds before each further attempt to store the result of an event."""

Handle = Callable[[ClaimedEvent], Awaitable[object]]


@attrs.frozen(kw_only=True)
class DispatchOptions:
    """The options of a dispatcher."""

    concurrency: int
    """The number of events that are handled at the same time."""
    lease: float
    """Seconds for which a claim lasts unless it is renewed."""
    pauses: Sequence[float]
    """Seconds before each further attempt."""

    @property
    def max_attempts(self) -> int:
        """The number of attempts after which an event is dead-lettered."""
        return len(self.pauses) + 1


class Dispatcher:
    """The tasks of one event loop that handle events until they are stopped."""

    def __init__(
        self,
        store: WebhookStore,
        handle: Handle,
        options: DispatchOptions,
        clock: Clock,
        *,
        overdue: Callable[[], int] = lambda: 0,
    ) -> None:
        """Create the dispatcher and start its tasks.

        Args:
            overdue: Returns how many handlers still run although their attempt has ended. They
                count towards the concurrency.
        """
        self.loop = asyncio.get_running_loop()
        self._store = store
        self._handle = handle
        self._options = options
        self._clock = clock
        self._overdue = overdue
        self._running: dict[asyncio.Task[None], ClaimedEvent] = {}
        """The latest claim of each task's event."""
        self._handling: dict[str, asyncio.Task[None]] = {}
        """The tasks whose handlers run now, by the key of the event."""
        self._woken = asyncio.Event()
        self._stop_requested = asyncio.Event()
        self._is_draining = False
        self._tasks = [
            asyncio.create_task(self._dispatch()),
            asyncio.create_task(self._renew_claims()),
            asyncio.create_task(self._forget()),
        ]

    def wake(self) -> None:
        """Query the store now, because an event was added."""
        self._woken.set()

    async def stop(self, *, drain: bool, grace: float) -> None:
        """Stop the tasks, and cancel handlers that still run after ``grace`` seconds.

        Args:
            drain: Whether to handle all events that are due first.
        """
        self._is_draining = drain
        self._stop_requested.set()
        self._woken.set()
        await asyncio.wait(self._tasks[:1], timeout=grace)
        for _ in range(2):  # the second time those that hang while storing a result, or began since
            left = {*self._tasks, *self._running}
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=GRACE)

    async def _dispatch(self) -> None:
        while not self._stop_requested.is_set() or self._is_draining:
            self._woken.clear()
            room = max(self._options.concurrency - len(self._running) - self._overdue(), 0)
            claims = await self._claim(room) if room else ()
            for claim in claims:
                self._begin(claim)
            if self._is_draining and room and not claims and not self._running:
                return
            if len(claims) < room or not room:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL):
                        await self._woken.wait()
        if self._running:
            await asyncio.wait(self._running)

    def _begin(self, claim: ClaimedEvent) -> None:
        task = self._handling.get(claim.key)
        if task is None:
            task = asyncio.create_task(self._work(claim))
            task.add_done_callback(self._ended)
        # Otherwise the lease expired while the handler runs: the task continues with the new claim.
        self._running[task] = claim

    async def _claim(self, room: int) -> Sequence[ClaimedEvent]:
        try:
            return await self._store.claim(room, lease=self._options.lease)
        except Exception as error:  # the next query may succeed
            logger.error("claiming events from the store failed: %s", error)
            return ()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self.wake()
        if not task.cancelled() and task.exception():
            logger.error(
                "an event will be handled again after its lease", exc_info=task.exception()
            )

    async def _work(self, claim: ClaimedEvent) -> None:
        if claim.attempt > self._options.max_attempts:
            await self._dead_letter(claim, f"none of {self._options.max_attempts} attempts ended")
            return
        if claim.is_outdated:
            logger.info("event %s was skipped: a later state of its object was handled", claim.key)
            await self._store_result(lambda: self._store.finish(claim))
            return
        task = asyncio.current_task()
        assert task is not None
        failure: BaseException | None = None
        try:
            await self._handle_as(task, claim)
        except BaseException as error:  # a handler may raise anything
            if is_interrupted(task) and not task.cancelling():
                raise  # the coroutine was closed, and must not wait for anything
            if is_interrupted(task) and self._is_ending():
                await self._put_back_interrupted(self._running[task])
                raise
            failure = error
        claim = self._running[task]
        if task.cancelling() and not self._is_ending():
            await _undo_cancellation(task)  # a handler cancelled its own task
        if failure is None:
            await self._store_result(lambda: self._store.finish(claim))
        else:
            await self._retry_or_dead_letter(claim, failure)

    async def _handle_as(self, task: asyncio.Task[None], claim: ClaimedEvent) -> None:
        self._handling[claim.key] = task
        try:
            await self._handle(claim)
        finally:  # not later: an event that is claimed again from here on has to be handled again
            del self._handling[claim.key]

    def _is_ending(self) -> bool:
        dispatching = self._tasks[0]
        return self._stop_requested.is_set() or dispatching.done() or dispatching.cancelling() > 0

    async def _retry_or_dead_letter(self, claim: ClaimedEvent, failure: BaseException) -> None:
        logger.warning(
            "handling event %s failed, attempt %d of %d",
            claim.key,
            claim.attempt,
            self._options.max_attempts,
            exc_info=failure,
        )
        description = _describe(failure)
        if claim.attempt >= self._options.max_attempts:
            await self._dead_letter(claim, description)
            return
        pause = self._options.pauses[claim.attempt - 1]
        await self._store_result(
            lambda: self._store.put_back(claim, after=pause, error=description)
        )
        self.loop.call_later(pause, self.wake)

    async def _dead_letter(self, claim: ClaimedEvent, error: str) -> None:
        logger.error("event %s failed, and is now among the dead letters: %s", claim.key, error)
        await self._store_result(lambda: self._store.dead_letter(claim, error=error))

    async def _put_back_interrupted(self, claim: ClaimedEvent) -> None:
        if self._stop_requested.is_set():
            await self._store_result(lambda: self._store.put_back(claim, counted=False))
            return
        try:  # once: the event loop is ending, and the store's connections with it
            await self._store.put_back(claim, counted=False)
        except Exception as error:
            logger.warning(
                "event %s will be handled again after its lease has expired: %s", claim.key, error
            )

    async def _store_result(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write the result of an event, with retries.

        If all attempts fail, the event is handled again after its lease.
        """
        for pause in RETRY_PAUSES:
            try:
                await write()
            except Exception as error:
                logger.warning("storing the result of an event failed: %s", error)
                await self._clock.sleep(pause)
            else:
                return
        await write()

    async def _renew_claims(self) -> None:
        while True:
            await self._clock.sleep(self._options.lease / 3)
            if self._running:
                try:
                    await self._store.renew(list(self._running.values()), lease=self._options.lease)
                except Exception as error:  # the next attempt may succeed
                    logger.warning("renewing leases failed: %s", error)

    async def _forget(self) -> None:
        while True:
            try:
                await self._store.forget()
            except Exception as error:  # the next attempt may succeed
                logger.warning("removing expired ids from the store failed: %s", error)
            await self._clock.sleep(FORGET_INTERVAL)


async def _undo_cancellation(task: asyncio.Task[Any]) -> None:
    while task.uncancel():
        pass
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # its own __str__ may fail
        return type(error).__name__
