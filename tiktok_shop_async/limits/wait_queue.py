"""A queue of calls that wait for a permit."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

from ..options import Priority
from ..pipeline.admission.limiter import Permit

Waiter: TypeAlias = "asyncio.Future[Permit]"


class WaitQueue:
    """One queue for each priority; a lower one is served only while the higher ones are empty."""

    def __init__(self) -> None:
        # Ordered dicts, because a cancelled call may be anywhere in its queue.
        self._queues: dict[Priority, OrderedDict[Waiter, None]] = {
            "high": OrderedDict(),
            "normal": OrderedDict(),
            "low": OrderedDict(),
        }

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def join(self, priority: Priority) -> Waiter:
        """Add a call, and return the future of its permit."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._queues[priority][waiter] = None
        return waiter

    def leave(self, waiter: Waiter) -> bool:
        """Remove a call; False if it was not waiting."""
        for queue in self._queues.values():
            if waiter in queue:
                del queue[waiter]
                return True
        return False

    def next_priority(self) -> Priority | None:
        """Return the priority of the next call; None if the queue is empty."""
        return next((priority for priority, queue in self._queues.items() if queue), None)

    def pop(self) -> Waiter:
        """Remove the next call and return it."""
        queue = next(queue for queue in self._queues.values() if queue)
        return queue.popitem(last=False)[0]

    def refuse_all(self, error: Callable[[], Exception], *, also_high: bool = True) -> None:
        """Make all waiting calls fail, each with an exception of its own."""
        for priority, queue in self._queues.items():
            if also_high or priority != "high":
                for waiter in queue:
                    refuse(waiter, error())
                queue.clear()


def grant(waiter: Waiter, permit: Permit) -> bool:
    """Give a call its permit; False if the call was cancelled just before."""
    if waiter.done():
        return False
    waiter.set_result(permit)
    return True


def refuse(waiter: Waiter, error: Exception) -> None:
    """Make a call fail, unless it was cancelled just before."""
    if not waiter.done():
        waiter.set_exception(error)


def was_granted(waiter: Waiter) -> bool:
    """Return whether a cancelled call had received its permit just before."""
    return waiter.done() and not waiter.cancelled() and waiter.exception() is None
