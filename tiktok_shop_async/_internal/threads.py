"""Blocking work, off the event loop, on threads of our own.

The loop's default executor belongs to the application. While that is busy with work of its own, a
call that needed it would wait for as long, outside of every timeout. A thread that hangs, as a name
lookup may, holds up neither other calls nor the end of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVarTuple("A")

_under_way: dict[tuple[Hashable, ...], Future[Any]] = {}


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``function`` in a thread; asyncio is imported then, since importing it takes a while."""
    return await _started(partial(function, *args, **kwargs))


async def shared_in_thread(function: Callable[[Unpack[A]], T], *args: *A) -> T:
    """Run ``function`` in a thread, once for all tasks that need the same result meanwhile."""
    from asyncio import get_running_loop, shield

    key = (get_running_loop(), function, *args)
    future = _under_way.get(key)
    if future is None:
        future = _under_way[key] = _started(partial(function, *args))

        def forget(ended: Future[T]) -> None:
            del _under_way[key]
            ended.exception()  # or asyncio reports it if all waiters were cancelled

        future.add_done_callback(forget)
    result: T = await shield(future)
    return result


def raisable_error(error: BaseException) -> BaseException:
    """Return the error as a future can raise it, which StopIteration is not."""
    if not isinstance(error, StopIteration):
        return error
    problem = RuntimeError("the function raised StopIteration")
    problem.__cause__ = error
    return problem


def _started(function: Callable[[], T]) -> Future[T]:
    """Start ``function`` in a thread, and return the future of its result."""
    from asyncio import get_running_loop
    from contextvars import copy_context

    loop = get_running_loop()
    future: Future[T] = loop.create_future()
    context = copy_context()

    def run() -> None:
        try:
            result = context.run(function)
        except BaseException as error:  # as an executor does: it is raised where it is awaited
            _deliver(loop, future, "set_exception", raisable_error(error))
        else:
            _deliver(loop, future, "set_result", result)

    Thread(target=run, name="tiktok-shop-async", daemon=True).start()
    return future


def _deliver(loop: AbstractEventLoop, future: Future[T], method: str, value: object) -> None:
    def settle() -> None:
        if not future.done():
            getattr(future, method)(value)

    with suppress(RuntimeError):  # the loop was closed meanwhile: nothing waits any more
        loop.call_soon_threadsafe(settle)
