"""Threads for handlers that are plain functions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any

import attrs

from ..._internal.threads import raisable_error

logger = logging.getLogger("tiktok_shop_async.webhooks")


@attrs.frozen(eq=False)
class _Run:
    """A function call that waits for a thread, runs in one, or has ended."""

    function: Callable[[], Any]
    started: Future[None] = attrs.field(factory=Future)
    result: Future[Any] = attrs.field(factory=Future)


class HandlerThreads:
    """A pool of daemon threads of one receiver.

    In the event loop's default executor, a function that hangs would delay the application's own
    calls, and the end of the event loop.
    """

    def __init__(self, limit: int) -> None:
        """Create the pool of at most ``limit`` threads; each starts when it is needed."""
        self._limit = limit
        self._overdue: dict[Hashable, _Run] = {}
        self._reset()

    @property
    def overdue(self) -> int:
        """The number of threads that run a function after its timeout or a cancellation."""
        return len(self._overdue)

    async def call(self, key: Hashable, function: Callable[[], Any], *, seconds: float) -> Any:
        """Run a function in a thread and return its result.

        Raises `TimeoutError` after ``seconds``, counted from the start in the thread. The function
        keeps running; the next call with the same key waits for that run instead of starting
        another one.
        """
        run = self._overdue.get(key)
        if run is None:
            run = self._submit(function)
            await asyncio.wrap_future(run.started)  # which cancels the run if this is cancelled
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(run.result)
        finally:
            if not run.result.done():
                self._overdue[key] = run
                logger.warning(
                    "a handler is still running in its thread after its timeout or a shutdown; "
                    "%d of %d threads are occupied this way",
                    len(self._overdue),
                    self._limit,
                )
                run.result.add_done_callback(lambda _: self._overdue.pop(key, None))

    def close(self) -> None:
        """End each thread as soon as its function has returned."""
        for _ in range(self._threads):
            self._runs.put(None)
        self._reset()

    def _reset(self) -> None:
        self._runs: SimpleQueue[_Run | None] = SimpleQueue()
        self._idle = Semaphore(0)
        self._threads = 0

    def _submit(self, function: Callable[[], Any]) -> _Run:
        run = _Run(partial(copy_context().run, function))
        self._runs.put(run)
        if not self._idle.acquire(blocking=False) and self._threads < self._limit:
            self._threads += 1
            Thread(
                target=_work, args=(self._runs, self._idle), name="webhook-handler", daemon=True
            ).start()
        return run


def _work(runs: SimpleQueue[_Run | None], idle: Semaphore) -> None:
    while run := runs.get():
        if run.started.set_running_or_notify_cancel():
            run.result.set_running_or_notify_cancel()
            run.started.set_result(None)
            _execute(run)
        del run  # an idle thread must keep no event in memory
        idle.release()


def _execute(run: _Run) -> None:
    try:
        result = run.function()
    except BaseException as error:  # as an executor does: it is raised where it is awaited
        run.result.set_exception(raisable_error(error))
    else:
        run.result.set_result(result)
