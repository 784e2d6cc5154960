"""Blocking work in threads of this package.

The loop's default executor belongs to the application. While the application keeps it busy, a call
would wait for it without any timeout. A thread that hangs, for example in a name lookup, delays
neither other calls nor the end of the process.
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

_running: dict[tuple[Hashable, ...], Future[Any]] = {}


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``function`` in a thread and return its result."""
    return await _start(partial(function, *args, **kwargs))


async def shared_in_thread(function: Callable[[Unpack[A]], T], *args: *A) -> T:
    """Run ``function`` in a thread, once for all tasks that need the result at the same time."""
    from asyncio import get_running_loop, shield

    key = (get_running_loop(), function, *args)
    future = _running.get(key)
    if future is None:
        future = _running[key] = _start(partial(function, *args))

        def forget(ended: Future[T]) -> None:
            del _running[key]
            ended.exception()  # otherwise asyncio logs it if all waiters were cancelled

        future.add_done_callback(forget)
    result: T = await shield(future)
    return result


def raisable_error(error: BaseException) -> BaseException:
    """Return an error that a future can raise: StopIteration is wrapped in a RuntimeError."""
    if not isinstance(error, StopIteration):
        return error
    problem = RuntimeError("the function raised StopIteration")
    problem.__cause__ = error
    return problem


def _start(function: Callable[[], T]) -> Future[T]:
    """Start ``function`` in a thread; return the future of its result."""
    from asyncio import get_running_loop  # slow to import
    from contextvars import copy_context

    loop = get_running_loop()
    future: Future[T] = loop.create_future()
    context = copy_context()

    def run() -> None:
        try:
            result = context.run(function)
        except BaseException as error:  # raised where the future is awaited, as by an executor
            _deliver(loop, future, "set_exception", raisable_error(error))
        else:
            _deliver(loop, future, "set_result", result)

    Thread(target=run, name="tiktok-shop-async", daemon=True).start()
    return future


def _deliver(loop: AbstractEventLoop, future: Future[T], method: str, value: object) -> None:
    def settle() -> None:
        if not future.done():
            getattr(future, method)(value)

    with suppress(RuntimeError):  # the loop is closed, so nothing waits for the result
        loop.call_soon_threadsafe(settle)
