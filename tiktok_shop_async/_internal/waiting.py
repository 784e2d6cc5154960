"""Waits that end, and work that a cancellation must not cut in two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PAUSE = 0.05
"""Seconds between two attempts to get a lock that another process has."""
GRACE = 5.0
"""Seconds that a cancellation or a release waits for a database."""


def count_cancellations() -> int:
    """Return how often the current task was asked to end.

    `asyncio.wait_for`, by which redis-py sends, drops a cancellation that arrives just as it ends,
    before Python 3.12. A loop has to check for it, or it goes on for ever.
    """
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def await_cancellable(query: Awaitable[T], before: int) -> T:
    """Return what a query returns; raise a cancellation that its driver dropped.

    Args:
        before: The `count_cancellations` before the query.
    """
    result = await query
    if count_cancellations() > before:
        raise asyncio.CancelledError
    return result


async def poll_until(attempt: Callable[[], Awaitable[bool]]) -> None:
    """Try until it succeeds; there is nothing to wait for, as it depends on other processes."""
    before = count_cancellations()
    while not await attempt():
        if count_cancellations() > before:
            raise asyncio.CancelledError
        await asyncio.sleep(PAUSE)


async def cancel_and_wait(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait for their end, except those of an event loop that has ended.

    They are cancelled again until they end: see `count_cancellations`.
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
    """Let ``work`` end by itself; a cancellation of the caller is raised after that.

    Drivers that are cancelled half way leave connections open, or do not know what they did.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=GRACE)
        task.cancel()  # it hangs
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise
    return task.result()
