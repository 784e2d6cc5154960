"""Waits that can always be cancelled, and work that a cancellation must not interrupt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PAUSE = 0.05
"""Seconds between two attempts to get a lock that another process holds."""
GRACE = 5.0
"""Seconds that a cancellation or a release waits for a database."""


def count_cancellations() -> int:
    """Return how often the current task was cancelled.

    Before Python 3.12, `asyncio.wait_for` drops a cancellation that arrives just as it ends, and
    redis-py uses it. A loop must check for that, or it never ends.
    """
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def await_cancellable(query: Awaitable[T], before: int) -> T:
    """Return the result of a query; raise `asyncio.CancelledError` if its driver dropped it.

    Args:
        query: The query.
        before: The result of `count_cancellations` before the query.
    """
    result = await query
    if count_cancellations() > before:
        raise asyncio.CancelledError
    return result


async def poll_until(attempt: Callable[[], Awaitable[bool]]) -> None:
    """Call ``attempt`` until it returns True; it polls, because other processes cannot notify."""
    before = count_cancellations()
    while not await attempt():
        if count_cancellations() > before:
            raise asyncio.CancelledError
        await asyncio.sleep(PAUSE)


async def cancel_and_wait(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait for their end, except those of another event loop.

    Tasks are cancelled repeatedly until they end: see `count_cancellations`.
    """
    loop = asyncio.get_running_loop()
    mine = [task for task in tasks if task is not None and task.get_loop() is loop]
    running = {*mine}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=GRACE)
    await asyncio.gather(*mine, return_exceptions=True)


async def finish_shielded(work: Coroutine[Any, Any, T]) -> T:
    """Finish ``work`` even if the caller is cancelled; raise the cancellation afterwards.

    Drivers that are cancelled halfway leave connections open, or an unknown result.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=GRACE)
        task.cancel()  # if it still runs, it hangs
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise
    return task.result()
