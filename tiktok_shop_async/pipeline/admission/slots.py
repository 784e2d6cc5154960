"""The slots of calls in flight, assigned by priority and in turn to every shop."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Mapping

from ...errors import ClientClosedError
from ...options import Priority

_RANKS: Mapping[Priority, int] = {"high": 0, "normal": 1, "low": 2}


class Slots:
    """A semaphore that serves its waiters by priority.

    Within one priority, shops take turns, so thousands of calls of one shop do not delay the calls
    of others.
    """

    def __init__(self, count: int) -> None:
        self.free = count
        self._waiting = 0
        self._queues: tuple[dict[str, deque[Future[bool]]], ...] = ({}, {}, {})
        """The waiters by shop, for each rank of priority."""

    def take(self) -> bool:
        """Take a slot without waiting; return False if none is free."""
        if not self.free:
            return False
        self.free -= 1
        return True

    async def acquire(self, shop: str, priority: Priority) -> None:
        """Take a slot as soon as one is free; raise `ClientClosedError` if the client closes."""
        if self.take():
            return
        waiter: Future[bool] = get_running_loop().create_future()
        queues = self._queues[_RANKS[priority]]
        queue = queues.get(shop)
        if queue is None:
            queue = queues[shop] = deque()
        queue.append(waiter)
        self._waiting += 1
        try:
            has_slot = await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.release()  # the slot was assigned to a cancelled call
            raise
        if not has_slot:
            raise ClientClosedError("the client was closed while the call waited.")

    def release(self) -> None:
        """Release a slot, and assign it to the next waiter if there is one."""
        while self._waiting:
            waiter = self._pop_waiter()
            if not waiter.done():  # otherwise its call was cancelled
                waiter.set_result(True)
                return
        self.free += 1

    def close(self) -> None:
        """Raise `ClientClosedError` in every call that waits for a slot."""
        while self._waiting:
            waiter = self._pop_waiter()
            if not waiter.done():
                waiter.set_result(False)

    async def __aenter__(self) -> None:
        await self.acquire("", "normal")

    async def __aexit__(self, *_: object) -> None:
        self.release()

    def _pop_waiter(self) -> Future[bool]:
        self._waiting -= 1
        queues = next(queues for queues in self._queues if queues)
        shop, queue = next(iter(queues.items()))
        waiter = queue.popleft()
        del queues[shop]
        if queue:
            queues[shop] = queue  # behind the other shops
        return waiter
