"""The calls that wait for their turn."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

from ..options import Priority
from ..pipeline.admission.limiter import Permit

Waiter: TypeAlias = "asyncio.Future[Permit]"


class Lanes:
    """One queue for each priority; a lower one moves only while the higher ones are empty."""

    def __init__(self) -> None:
        # Ordered dicts, since those who give up may stand anywhere.
        self._lanes: dict[Priority, OrderedDict[Waiter, None]] = {
            "high": OrderedDict(),
            "normal": OrderedDict(),
            "low": OrderedDict(),
        }

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def join(self, priority: Priority) -> Waiter:
        """Queue up, and return what will be the permit."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._lanes[priority][waiter] = None
        return waiter

    def leave(self, waiter: Waiter) -> bool:
        """Do not wait any more; False if it was not waiting."""
        for lane in self._lanes.values():
            if waiter in lane:
                del lane[waiter]
                return True
        return False

    def next_priority(self) -> Priority | None:
        """Return who is next, without letting it go."""
        return next((priority for priority, lane in self._lanes.items() if lane), None)

    def pop(self) -> Waiter:
        """Return whose turn it is; it waits no more."""
        lane = next(lane for lane in self._lanes.values() if lane)
        return lane.popitem(last=False)[0]

    def refuse_all(self, error: Callable[[], Exception], *, also_high: bool = True) -> None:
        """Let none of those who wait go."""
        for priority, lane in self._lanes.items():
            if also_high or priority != "high":
                for waiter in lane:
                    refuse(waiter, error())
                lane.clear()


def grant(waiter: Waiter, permit: Permit) -> bool:
    """Let a call go; False if it was cancelled in the same moment."""
    if waiter.done():
        return False
    waiter.set_result(permit)
    return True


def refuse(waiter: Waiter, error: Exception) -> None:
    """Have a call fail instead of waiting on."""
    if not waiter.done():
        waiter.set_exception(error)


def was_granted(waiter: Waiter) -> bool:
    """Whether a call that is cancelled had been let go just before."""
    return waiter.done() and not waiter.cancelled() and waiter.exception() is None
