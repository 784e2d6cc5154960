"""The slots of calls in flight, given out by priority and in turn to every shop."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Mapping

from ...errors import ClientClosedError
from ...options import Priority

_LANES: Mapping[Priority, int] = {"high": 0, "normal": 1, "low": 2}


class Slots:
    """A semaphore that serves its waiters by priority.

    Shops of the same priority take turns, so that thousands of calls of one shop do not delay the
    others.
    """

    def __init__(self, count: int) -> None:
        self.free = count
        self._waiting = 0
        self._lanes: tuple[dict[str, deque[Future[bool]]], ...] = ({}, {}, {})

    def take(self) -> bool:
        """Take a slot without waiting; return False if none is free."""
        if not self.free:
            return False
        self.free -= 1
        return True

    async def acquire(self, shop: str, priority: Priority) -> None:
        """Take a slot as soon as one is free; `ClientClosedError` if the client is closed."""
        if self.take():
            return
        waiter: Future[bool] = get_running_loop().create_future()
        lane = self._lanes[_LANES[priority]]
        queue = lane.get(shop)
        if queue is None:
            queue = lane[shop] = deque()
        queue.append(waiter)
        self._waiting += 1
        try:
            is_given = await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.release()  # the slot was given to a cancelled call
            raise
        if not is_given:
            raise ClientClosedError("the client was closed while the call waited.")

    def release(self) -> None:
        """Return a slot; the next waiter has it at once."""
        while self._waiting:
            waiter = self._next()
            if not waiter.done():  # otherwise its call was cancelled
                waiter.set_result(True)
                return
        self.free += 1

    def close(self) -> None:
        """Raise `ClientClosedError` in every call that waits for a slot."""
        while self._waiting:
            waiter = self._next()
            if not waiter.done():
                waiter.set_result(False)

    async def __aenter__(self) -> None:
        await self.acquire("", "normal")

    async def __aexit__(self, *_: object) -> None:
        self.release()

    def _next(self) -> Future[bool]:
        self._waiting -= 1
        lane = next(lane for lane in self._lanes if lane)
        shop, queue = next(iter(lane.items()))
        waiter = queue.popleft()
        del lane[shop]
        if queue:
            lane[shop] = queue  # behind all others
        return waiter
